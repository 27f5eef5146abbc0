"""Models, which turn images into vectors."""
