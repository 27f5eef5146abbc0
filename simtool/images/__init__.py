"""From image files to tensors, by named recipes."""
