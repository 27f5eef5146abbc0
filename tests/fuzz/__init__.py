"""Malformed inputs for every reader: made by chance from a seed, read, and judged."""
