"""One module per group of commands; imported when a command of the group runs."""
