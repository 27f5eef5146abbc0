"""Trial designs, and the formats that judgments come in."""
