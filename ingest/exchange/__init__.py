"""Results that come from elsewhere or go elsewhere: import, export, bundles, a check of CSV.

In: files, or a chosen part of a state. Out: stored runs, or files that are whole or not there.
Imports: changes, database and what they may import.
"""
