"""A study as its files describe it.

In: ingest.toml, model, scenarios, countries, git. Out: Study, settings, composed documents.
Imports: text, and the modules at the top.
"""
