"""Views of an analysis: terminal, figure, HTML page and exports."""
