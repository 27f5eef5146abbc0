"""One module per subcommand: options in, one call of a stage, its result printed."""
