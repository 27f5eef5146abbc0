"""From image files to arrays, by a named preprocessing."""
