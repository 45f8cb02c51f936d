"""The report that people send: what it says, and one writer for each format.

In: a state, the study's indicators and economics, what changed. Out: Markdown, a workbook, HTML.
Imports: charts, questions, exchange, changes, database, study.
"""
