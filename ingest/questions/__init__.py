"""Answers to questions about stored results: canned SQL, comparisons, data frames.

In: a state and the files of canned_queries/. Out: rows with the names and units they need.
Imports: exchange, changes, database; never an executor.
"""
