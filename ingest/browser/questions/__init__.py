"""The page, table and answer of a canned query."""
