"""The numbers of a report, and the ways to show them."""
