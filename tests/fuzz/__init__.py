"""Malformed inputs for every reader: generated from a seed, read, and judged."""
