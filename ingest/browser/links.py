"""Every URL of the browser, built and escaped in one place; pages/routes.py says what is there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from ingest.resources import resource_path

EDITOR = "_editor"
"""The argument that asks for the chart editor; no page without it compiles expressions."""


@dataclass(frozen=True)
class Links:
    """URLs for one database, by its route; base_url begins and ends with a slash."""

    database: str
    base_url: str = "/"

    def home(self) -> str:
        """The overview of the first database."""
        return self.base_url

    def static(self, file: str, version: str = "") -> str:
        """A file of static/; version makes a browser fetch it anew when it has changed."""
        return f"{self.base_url}static/{quote(file)}" + (f"?v={quote(version)}" if version else "")

    def overview(self) -> str:
        """Whether everything is fine."""
        return self._page("overview")

    def progress(self, run_id: int | None = None) -> str:
        """Counts of a run as JSON."""
        return self._page("progress.json", run=run_id)

    def countries(self, region: str | None = None) -> str:
        """All countries, or those of a region."""
        return self._page("countries", region=region)

    def country(self, iso3: str, label: str | None = None, run: int | None = None) -> str:
        """One country, for one element label."""
        return self._page(f"country/{encode(iso3)}", label=label, run=run)

    def runs(self, before: int | None = None) -> str:
        """The runs, or those before one."""
        return self._page("runs", before=before)

    def run(self, run_id: int) -> str:
        """One run."""
        return self._page(f"run/{int(run_id)}")

    def changes(self, run_id: int, label: str | None = None, country: str | None = None) -> str:
        """What one run changed."""
        return self._page(f"run/{int(run_id)}/changes", label=label, country=country)

    def job(self, run_id: int, country: str, scenario: str) -> str:
        """One job."""
        return self._page(f"job/{int(run_id)}/{encode(country)}/{encode(scenario)}")

    def api(self, question: str = "") -> str:
        """How scripts read the results, or one question."""
        return self._page("api") + (f"#{quote(question)}" if question else "")

    def question(self, name: str, **parameters: Any) -> str:
        """A canned query; parameters that are None keep their defaults."""
        return self.table(name, **parameters)

    def data(self) -> str:
        """Datasette's own page of the database."""
        return self.base_url + encode(self.database)

    def table(self, name: str, **filters: Any) -> str:
        """A table or view in Datasette; filters are exact values, or Datasette's own arguments."""
        return f"{self.data()}/{encode(name)}{_query(filters)}"

    def metrics(self, **filters: Any) -> str:
        """The numbers, always filtered, without counting them: there may be millions."""
        return self.table("metrics", **filters, _nocount=1)

    def _page(self, path: str, **arguments: Any) -> str:
        return f"{self.data()}/-/{path}{_query(arguments)}"


@lru_cache(maxsize=4096)  # a matrix has thousands of links with few different parts
def encode(text: str) -> str:
    """A text as one part of a path, in Datasette's tilde encoding."""
    from datasette.utils import tilde_encode  # Datasette is there wherever a page is shown

    return str(tilde_encode(text))


def decode(part: str) -> str:
    """The text that a part of a path stands for."""
    from datasette.utils import tilde_decode

    return str(tilde_decode(part))


def _query(arguments: dict[str, Any]) -> str:
    given = {name: value for name, value in arguments.items() if value is not None}
    return "?" + urlencode(given) if given else ""


@lru_cache(maxsize=32)
def static_version(file: str) -> str:
    """A few digits that change with a file of static/; empty where there is no such file."""
    try:
        content = (resource_path("static") / file).read_bytes()
    except OSError:
        return ""
    return hashlib.sha256(content).hexdigest()[:8]
