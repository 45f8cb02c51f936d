"""What moved between two states, by how much, and because of which input.

In: two states. Out: a StateDiff with causes, reports of it, findings on quality across jobs.
Imports: database and what it may import.
"""
