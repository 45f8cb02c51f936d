"""Where jobs run: one folder for each executor, base.py has the contract they share.

In: documents of jobs. Out: states of jobs, then their raw results.
Imports: services, planning, study. local, run_api and aws_batch never import each other.
"""
