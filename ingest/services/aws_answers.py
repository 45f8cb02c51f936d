"""Answers that are not AWS's: a proxy's page where XML or JSON is due, told to boto3 as a fault.

boto3 cannot parse such a body, and raises what it never tries again. As an error answer in AWS's
own form it is what it is: a fault that can pass, tried again with back-off where that is allowed.
"""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

NOT_AWS = "NotAnAwsAnswer"
_CHARACTERS = 80
_BAD_GATEWAY = 502


def mark_foreign_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """A handler of boto3's event before-parse: changes an answer that no AWS service gave.

    Raises ResponseParserError for one that has the status of a success.
    """
    status, body = response_dict["status_code"], response_dict["body"]
    if status < 300 and operation_model.has_streaming_output:
        _refuse_page(response_dict)  # an object's body may be anything, its headers may not
        return
    if not isinstance(body, bytes):
        return
    is_json = "json" in operation_model.service_model.protocol
    if not body.strip() or _is_json(body) if is_json else _is_empty_or_xml(body):
        return
    words = _words(status, body)
    if status < 300:
        from botocore.parsers import ResponseParserError

        raise ResponseParserError(words)  # boto3 takes this status itself for a success
    response_dict["status_code"] = status if status >= 500 else _BAD_GATEWAY
    if is_json:
        response_dict["body"] = json.dumps({"code": NOT_AWS, "message": words}).encode()
        response_dict["headers"]["x-amzn-errortype"] = NOT_AWS
    else:
        error = f"<Error><Code>{NOT_AWS}</Code><Message>{escape(words)}</Message></Error>"
        is_query = operation_model.service_model.protocol == "query"
        whole = f"<ErrorResponse>{error}</ErrorResponse>" if is_query else error
        response_dict["body"] = whole.encode()


def _refuse_page(response_dict: dict[str, Any]) -> None:
    """Raises ResponseParserError for a page in the place of an object.

    S3 and what is made like it name each request or the object's ETag; of pages some have an ETag.
    """
    headers = response_dict["headers"]
    is_page = str(headers.get("content-type", "")).startswith("text/html")
    if "x-amz-request-id" in headers or ("etag" in headers and not is_page):
        return
    from botocore.parsers import ResponseParserError

    raise ResponseParserError(_words(response_dict["status_code"], response_dict["body"].read(400)))


def _words(status: int, body: bytes) -> str:
    """The status and the first words of an answer."""
    return f"{status}, {' '.join(body.decode('utf-8', 'replace').split())[:_CHARACTERS]!r}"


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _is_empty_or_xml(body: bytes) -> bool:
    """Whether a body is XML of a service: a page may be well-formed, too."""
    if not body.strip():
        return True
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return False
    return root.tag.rpartition("}")[2].lower() != "html"
