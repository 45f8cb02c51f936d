"""Which combinations have to run, and why.

In: a Study and the input digests of stored results. Out: a Plan with a reason for each job.
Imports: study and what study may import.
"""
