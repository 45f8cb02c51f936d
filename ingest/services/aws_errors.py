"""What a failure of an AWS call means for the run, and the one line that tells a person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from http.client import HTTPException
from typing import Any

from ingest.errors import BackendError
from ingest.services.aws_answers import NOT_AWS
from ingest.text.foreign import shorten_middle

# IAM's name of an action where it is not that of the call.
_ACTIONS = {"s3:HeadObject": "s3:GetObject", "s3:HeadBucket": "s3:ListBucket"}
_ANY = "any"
_MESSAGE_LETTERS = 1_000


class Trouble(Enum):
    """What may be done about a failed call.

    UNSENT: it surely never arrived. THROTTLED: it was refused for now. DOUBTFUL: it may have been
    carried out. MISSING: the thing asked for is not there. REFUSED: it is wrong and stays wrong.
    FATAL: no other call will fare better.
    """

    UNSENT = auto()
    THROTTLED = auto()
    DOUBTFUL = auto()
    MISSING = auto()
    REFUSED = auto()
    FATAL = auto()

    @property
    def can_pass(self) -> bool:
        """Whether the same call may succeed later."""
        return self in (Trouble.UNSENT, Trouble.THROTTLED, Trouble.DOUBTFUL)


class AwsError(Exception):
    """A failed AWS call: str(error) is one line, trouble says what may be done about it.

    Not an IngestError: executors and sources turn it into a job's fault or a BackendError.
    """

    def __init__(self, message: str, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(message)

    def as_backend_error(self) -> BackendError:
        """The error that ends a run."""
        return BackendError(str(self))


@dataclass(frozen=True)
class AwsPlace:
    """Which account and region are called. where: the settings' section, for messages.

    policy: the file in examples/aws that lists the permissions needed.
    """

    region: str | None = None
    profile: str | None = None
    where: str = "executors.aws-batch"
    policy: str = "submitter-policy.json"
    connections: int = 16
    read_timeout_s: float = 60


@dataclass(frozen=True)
class AwsCall:
    """A call as messages describe it; thing: what it was about."""

    service: str
    operation: str
    thing: str
    place: AwsPlace = AwsPlace()

    def words(self) -> dict[str, str]:
        """What the sentences below may name."""
        place, action = self.place, f"{self.service}:{self.operation}"
        option = f" --profile {place.profile}" if place.profile else ""
        bucket_key = "location" if place.where == "analytics.s3" else "bucket"
        return {
            "operation": self.operation,
            "thing": self.thing,
            "where": place.where,
            "policy": place.policy,
            "action": _ACTIONS.get(action, action),
            "bucket": self.thing.removeprefix("s3://").partition("/")[0],
            "bucket_setting": f"{place.where}.{bucket_key}",
            "option": option,
            "login": f"log in again (aws sso login{option})",
        }


_NOT_AWS, _CLOCK = NOT_AWS, "clock"
# What each service tolerates of a clock that is wrong, in seconds.
_TOLERATED_S = {"s3": 900}
_TOLERATED_ELSEWHERE_S = 300

_UNSENT, _THROTTLED, _DOUBTFUL, _MISSING, _REFUSED, _FATAL = Trouble

# Codes of an answer other than success, what may be done, and the sentence; the first row that
# fits counts. "429" and "5xx" stand for these HTTP statuses too.
# fmt: off
_REFUSALS = [
    (_NOT_AWS,
     _DOUBTFUL, "something other than AWS answers {operation} ({reason}): a proxy may stand "
                "between, check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    (_CLOCK,
     _FATAL, "this machine's clock is {skew} AWS's, which refuses calls for that: set it right, "
             "e.g. sudo timedatectl set-ntp true"),
    ("ExpiredTokenException ExpiredToken RequestExpired TokenRefreshRequired",
     _FATAL, "the AWS credentials have expired: {login}"),
    ("UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId SignatureDoesNotMatch "
     "InvalidSignatureException IncompleteSignature MissingAuthenticationToken AuthFailure",
     _FATAL, "AWS does not accept the credentials ({code}): check them with "
             "aws sts get-caller-identity{option}"),
    ("AccessDeniedException AccessDenied UnauthorizedOperation 403",
     _FATAL, "AWS denies {action} on {thing}: allow it in the IAM policy (examples/aws/{policy})"),
    ("TooManyRequestsException ThrottlingException Throttling ThrottledException "
     "RequestLimitExceeded RequestThrottled SlowDown 429",
     _THROTTLED, "AWS answers {operation} with too many requests ({code})"),
    ("NoSuchBucket",
     _FATAL, "no S3 bucket {bucket}: create it, or set {bucket_setting}"),
    ("NoSuchKey 404 NotFound",
     _MISSING, "no {thing}"),
    ("PermanentRedirect 301 AuthorizationHeaderMalformed",
     _FATAL, "{thing} is in another region: set {where}.region to it"),
    ("RequestTimeTooSkewed",
     _FATAL, "AWS refuses the time of this machine's clock: set the clock right"),
    ("LimitExceededException ServiceQuotaExceededException OptInRequired",
     _FATAL, "an AWS quota is used up ({code}): {reason}"),
    ("5xx RequestTimeout OperationAborted",
     _DOUBTFUL, "AWS answers {operation} with an error of its own ({code})"),
    (_ANY, _REFUSED, "AWS refuses {operation} on {thing}: {reason_or_code}"),
]
# The same for calls that got no answer, by class of exception.
_FAILURES = [
    ("NoCredentialsError",
     _FATAL, "no AWS credentials: run aws configure, or set AWS_PROFILE or {where}.profile"),
    ("PartialCredentialsError",
     _FATAL, "the AWS credentials lack {cred_var}: set it, or run aws configure"),
    ("SSOError TokenRetrievalError",
     _FATAL, "the AWS login cannot be used any more: {login}"),
    ("CredentialRetrievalError",
     _FATAL, "the AWS credentials cannot be read: {exc}"),
    ("NoRegionError",
     _FATAL, 'no AWS region: set {where}.region, e.g. region = "eu-west-1", or AWS_DEFAULT_REGION'),
    ("ProfileNotFound",
     _FATAL, "no AWS profile {profile!r}: aws configure list-profiles shows those there are"),
    ("SSLError",
     _FATAL, "no secure connection to {endpoint_url}: {error}"),
    ("ProxyConnectionError",
     _UNSENT, "the proxy cannot be reached: check HTTPS_PROXY"),
    ("EndpointConnectionError ConnectTimeoutError",
     _UNSENT, "{endpoint_url} cannot be reached: check the network and the region"),
    ("ReadTimeoutError",
     _DOUBTFUL, "{endpoint_url} gave no answer to {operation} in time"),
    ("HTTPClientError",
     _DOUBTFUL, "the connection to {endpoint_url} broke during {operation}"),
    ("ParamValidationError",
     _REFUSED, "{operation} cannot be sent for {thing}: {report}"),
    ("ResponseParserError HTTPError HTTPException ResponseStreamingError IncompleteReadError "
     "ConnectionError",
     _DOUBTFUL, "the answer to {operation} broke off or cannot be read ({exc}): a proxy may stand "
                "between, check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    ("BotoCoreError",
     _REFUSED, "{operation} failed for {thing}: {exc}"),
    ("ValueError",
     _FATAL, "AWS cannot be called: {exc}: check AWS_ENDPOINT_URL, the region and {where}"),
    (_ANY, _REFUSED, "{operation} failed for {thing}: {exc}"),
]
# fmt: on


def aws_exceptions() -> tuple[type[Exception], ...]:
    """Every class of exception that a boto3 call raises; a bad endpoint is a plain ValueError.

    Some come from below boto3: a body that ends early, a connection that breaks while it is read.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    others = (ResponseParserError, HTTPError, HTTPException, OSError, ValueError)
    return (ClientError, BotoCoreError, Boto3Error, *others)


def translate(exc: Exception, call: AwsCall) -> AwsError:
    """The failure of a call as one line and what may be done about it."""
    from botocore.exceptions import ClientError

    if isinstance(exc, ClientError):
        error = exc.response.get("Error", {})
        code, reason = str(error.get("Code", "")), str(error.get("Message", ""))
        keys, rows = _refusal_keys(exc.response, code, call), _REFUSALS
        words = {"code": code, "reason": reason, "reason_or_code": reason or code}
        words["skew"] = _skew_words(exc.response)
    else:
        keys, rows = {_ANY, *(kind.__name__ for kind in type(exc).__mro__)}, _FAILURES
        words = _failure_words(exc)
    trouble, sentence = next(row[1:] for row in rows if keys & set(row[0].split()))
    return AwsError(_one_line(sentence.format(**(words | call.words()))), trouble)


def _refusal_keys(response: Any, code: str, call: AwsCall) -> set[str]:
    """What the rows of _REFUSALS are looked up by."""
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if call.operation == "HeadBucket" and code in ("NoSuchKey", "404", "NotFound"):
        code = "NoSuchBucket"
    is_refused = status in (400, 401, 403)
    limit_s = _TOLERATED_S.get(call.service, _TOLERATED_ELSEWHERE_S)
    clock = _CLOCK if is_refused and abs(_skew_s(response)) > limit_s else ""
    return {_ANY, code, clock, "429" if status == 429 else "", "5xx" if status >= 500 else ""}


def _skew_s(response: Any) -> float:
    """How far this machine's clock is ahead of AWS's, by the Date of an answer; 0 where unknown."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        return (datetime.now(UTC) - date).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _skew_words(response: Any) -> str:
    skew_s = _skew_s(response)
    return f"{abs(skew_s) / 60:.0f} minutes {'ahead of' if skew_s > 0 else 'behind'}"


def _failure_words(exc: Exception) -> dict[str, Any]:
    """What the sentences of _FAILURES may name of an exception; boto's say more in kwargs."""
    told = getattr(exc, "kwargs", {})
    defaults = {"error": exc, "report": exc, "cred_var": "a part", "profile": ""}
    return {**defaults, **told, "exc": exc, "endpoint_url": told.get("endpoint_url") or "AWS"}


def _one_line(message: str) -> str:
    """A message without line ends, without what a URL may hold before its host, and not long."""
    text = re.sub(r"//[^/@\s]*@", "//", " ".join(message.split()))
    return shorten_middle(text, _MESSAGE_LETTERS)
