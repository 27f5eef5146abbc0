"""From image files to tensors, by a named preprocessing."""
