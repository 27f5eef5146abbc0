"""Predict human similarity judgments from image representations, and say how well each predicts."""

__version__ = "0.1.0"
