"""Training of networks: data, split, augmentation, loop, checkpoints and devices."""
