"""Jet (Kolesnikov et al., 2024): affine couplings of image patches, whose networks are Vision Transformers."""
