"""The pluggy markers: hookspec for the hooks of ingest, hookimpl for those who implement them."""

import pluggy

PROJECT_NAME = "ingest"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
