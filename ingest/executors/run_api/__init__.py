"""Jobs through the HTTP run API; submitter_process.py outlives a run that is killed."""
