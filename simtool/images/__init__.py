"""From image files to tensors, by named preprocessings."""
