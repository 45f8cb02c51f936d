"""The results browser: how Datasette is set up, and what stands on its pages.

In: a database, read only. Out: pages, files, JSON. server/ sets up, pages/ has ingest's own pages,
questions/ the canned queries, tables/ Datasette's tables, files/ CSV and pictures.
Imports: charts, questions, changes, database; never running or executors.
"""
