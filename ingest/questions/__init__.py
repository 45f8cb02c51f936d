"""Answers to questions about stored results: canned SQL, comparisons, data frames.

In: a state and the files of canned_queries/. Out: rows with the names and units they need. A canned
query is such a file; a question is a canned query with the values that somebody asked for.
Imports: exchange, changes, database; never an executor.
"""
