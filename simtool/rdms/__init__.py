"""Distances of pairs of images from and for other programs: long tables, matrices, RDMs."""
