"""One module per subcommand: options in, one call into the packages below, tables out."""
