"""Cells, sorting and limits of Datasette's own tables."""
