"""Where images and judgments come from."""
