"""What every caller of AWS or of an HTTP service shares: errors in words, clients, pacing.

In: settings, exceptions, answers. Out: clients and faults that the caller can act on.
Imports: text, and the modules at the top.
"""
