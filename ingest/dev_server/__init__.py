"""A run API and an analytics API on loopback, to try and to test the way through the cloud.

In: results, or a model, and the faults to play. Out: the answers of both services over HTTP.
Imports: executors, analytics and what they may import.
"""

from ingest.dev_server.faults import Faults
from ingest.dev_server.results import made_up_rows
from ingest.dev_server.server import DevServer, results_in

__all__ = ["DevServer", "Faults", "made_up_rows", "results_in"]
