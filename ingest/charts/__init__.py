"""Answers as Vega-Lite specifications and as pictures.

In: rows and the chart that a question declares. Out: specifications, SVG, PNG, HTML.
Imports: questions, changes, study.
"""
