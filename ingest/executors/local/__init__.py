"""Jobs in worker processes on this machine."""
