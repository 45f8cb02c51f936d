"""The results browser: how Datasette is set up, and what stands on its pages."""
