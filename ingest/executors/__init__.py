"""Executors: the places where jobs run. base.py holds their contract."""
