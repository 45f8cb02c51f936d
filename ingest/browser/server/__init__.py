"""Datasette's process: settings, headers, the frame around every page."""
