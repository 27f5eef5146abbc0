"""Judgments of similarity: their comparisons, and readers of their file formats."""
