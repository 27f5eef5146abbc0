"""Glow (Kingma & Dhariwal, 2018): an invertible map from images to latents, with an exact density."""
