"""Image collections: CUB-200-2011, birds-16, and any folder of images."""
