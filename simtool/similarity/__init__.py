"""What the project is for: distances, outcomes of trials, inference."""
