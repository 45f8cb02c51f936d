"""A place in S3: bucket and prefix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class S3Place:
    """A bucket and the beginning of keys in it, without slashes around."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    def key(self, *parts: str) -> str:
        """The key of parts below the prefix."""
        return "/".join((self.prefix, *parts) if self.prefix else parts)


def parse_s3_place(uri: str) -> S3Place:
    """The place that s3://bucket/prefix names. Raises ValueError for another text."""
    scheme, separator, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise ValueError(f"{uri!r} is not of the form s3://bucket/prefix")
    return S3Place(bucket, prefix.strip("/"))
