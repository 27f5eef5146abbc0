"""Distances between vectors, and the credit of each comparison."""
