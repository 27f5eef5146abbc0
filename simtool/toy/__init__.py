"""Toy data: drawn birds with known traits, their photographs, and simulated observers who judge them."""
