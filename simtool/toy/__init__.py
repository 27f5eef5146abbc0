"""Generated birds: species with known traits, photographs of them, and simulated observers who judge them."""
