"""Principal components, exact and in bounded memory."""
