"""A run from its plan to its stored results; the only package that joins several stages.

In: a Plan, an executor, a database. Out: a finished run, resumable at any moment.
Imports: everything below, but not questions, charts or the browser.
"""
