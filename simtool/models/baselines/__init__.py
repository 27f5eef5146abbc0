"""Baselines: simple numbers that describe an image without training. A model of similarity must predict better."""
