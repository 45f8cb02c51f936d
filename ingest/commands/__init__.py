"""The command line: one command a file; a command parses, calls and prints.

In: arguments. Out: text or JSON on stdout, the rest on stderr, an exit code.
Imports: everything. Only this package and cli.py know click.
"""
