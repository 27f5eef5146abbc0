"""Readers of vectors that other programs wrote."""
