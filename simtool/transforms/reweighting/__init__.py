"""Reweighting: transforms of vectors that are learned from judgments, and tested on held-out judgments."""
