"""One short module a verb of the command line."""
