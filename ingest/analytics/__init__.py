"""From the raw answer of one job to a validated result set.

In: raw bytes from an executor or a source. Out: ResultSet and findings on its quality.
Imports: executors.base, services, study.
"""
