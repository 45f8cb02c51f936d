"""Where raw results come from when the executor does not bring them; base.py has the contract."""
