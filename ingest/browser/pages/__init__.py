"""The pages of ingest's own: one reader a page, routes.py lists them."""
