"""Hooks, the plugins that come with ingest, and the manager that finds all others.

In: entry points and the plugins folder of a study. Out: executors, sources, checks, events.
Imports: analytics, executors and what they may import.
"""
