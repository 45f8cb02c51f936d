"""How numbers, times and misspelled names are written for people.

In: bare values. Out: words.
Imports nothing of ingest.
"""
