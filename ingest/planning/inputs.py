"""Inputs: the digests of everything that decides one combination's result, and how two differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

# Content of an input by its digest, or None when it was not kept.
ContentLookup = Callable[[str], Any]


@dataclass(frozen=True)
class InputSet:
    """What all combinations of one scenario share; stored once, not with every job.

    model_identity: digest of what of the model document counts as input, empty for all of it.
    """

    scenario: str
    model_digest: str
    scenario_digest: str
    code_digest: str
    environment: str
    query_digest: str
    model_identity: str = ""

    def has_model_of(self, other: InputSet) -> bool:
        """Whether both have one model document, or two that differ by what is no input alone."""
        identities = [shared.model_identity or shared.model_digest for shared in (self, other)]
        return self.model_digest == other.model_digest or identities[0] == identities[1]

    @property
    def model_version(self) -> tuple[str, str, str, str]:
        """What the scenarios of one model share: model, code, environment, analytics query."""
        model = self.model_identity or self.model_digest
        return (model, self.code_digest, self.environment, self.query_digest)


class Inputs(NamedTuple):
    """Everything that decides one combination's result; document_digest is of the composed one.

    country_data_digest: of the country's rows in study.country_data, empty where there are none.
    """

    shared: InputSet
    document_digest: str
    country_data_digest: str = ""

    @property
    def digest(self) -> str:
        """The input digest: SHA-256 over document, code, environment, query and country data."""
        shared = self.shared
        parts = (
            self.document_digest,
            shared.code_digest,
            shared.environment,
            shared.query_digest,
            *filter(None, [self.country_data_digest]),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
