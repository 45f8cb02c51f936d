"""`python -m ingest` is the `ingest` command."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the folder one is in, whose csv.py is not for ingest

from ingest.cli import main

if __name__ == "__main__":
    main(prog_name="ingest")
