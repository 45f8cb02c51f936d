"""The command line: one command a file; a command parses, calls and prints."""
