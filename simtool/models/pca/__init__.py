"""Principal components, exactly and in bounded memory."""
