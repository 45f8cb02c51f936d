"""What a failure of an AWS call means for the run, and the one line that tells a person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from ingest.errors import BackendError

_THROTTLED = {
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "429",
}
_ENDED = {"ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEY = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "AuthFailure",
}
_FORBIDDEN = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"}
_NO_BUCKET = {"NoSuchBucket"}
_MISSING = {"NoSuchKey", "404", "NotFound"}
_OTHER_REGION = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed"}
_CLOCK = {"RequestTimeTooSkewed"}
_LIMIT = {"LimitExceededException", "ServiceQuotaExceededException", "OptInRequired"}
_RETRY_LATER = {"RequestTimeout", "OperationAborted"}
# IAM's name of an action where it is not that of the call.
_ACTIONS = {"s3:HeadObject": "s3:GetObject", "s3:HeadBucket": "s3:ListBucket"}


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
    """A failed AWS call: str(error) is one line, trouble says what may be done about it."""

    def __init__(self, message: str, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(message)

    def as_backend_error(self) -> BackendError:
        """The error that ends a run."""
        return BackendError(str(self))


@dataclass(frozen=True)
class AwsCall:
    """A call as it is told in messages. thing: what it was about; where: the settings' section.

    policy: the file in examples/aws that lists the permissions.
    """

    service: str
    operation: str
    thing: str
    where: str = "executors.aws-batch"
    profile: str | None = None
    policy: str = "submitter-policy.json"

    @property
    def bucket_setting(self) -> str:
        """What to change when the bucket is another."""
        if self.where == "analytics.s3":
            return "set it in analytics.s3.location"
        return f"set {self.where}.bucket"

    @property
    def action(self) -> str:
        """IAM's name of the permission it needs."""
        name = f"{self.service}:{self.operation}"
        return _ACTIONS.get(name, name)


def aws_exceptions() -> tuple[type[Exception], ...]:
    """Every class of exception that a boto3 call raises; a bad endpoint is a plain ValueError."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return (ClientError, BotoCoreError, Boto3Error, ValueError)


def translate(exc: Exception, call: AwsCall) -> AwsError:
    """The failure of a call as one line and what may be done about it."""
    from botocore.exceptions import ClientError

    if isinstance(exc, ClientError):
        trouble, message = _refusal(exc.response, call)
    else:
        trouble, message = _own_failure(exc, call)
    return AwsError(_one_line(message), trouble)


def _refusal(response: Any, call: AwsCall) -> tuple[Trouble, str]:
    """What an answer other than success means."""
    error = response.get("Error", {})
    code, reason = str(error.get("Code", "")), str(error.get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if code in _ENDED:
        return Trouble.FATAL, f"the AWS credentials have expired: {_login(call)}"
    if code in _UNKNOWN_KEY:
        return Trouble.FATAL, (
            f"AWS does not accept the credentials ({code}): check them with "
            f"aws sts get-caller-identity{_profile_option(call)}"
        )
    if code in _FORBIDDEN:
        return Trouble.FATAL, (
            f"AWS denies {call.action} on {call.thing}: allow it in the IAM policy "
            f"(examples/aws/{call.policy})"
        )
    if code in _THROTTLED or status == 429:
        return Trouble.THROTTLED, f"AWS answers {call.operation} with too many requests ({code})"
    if code in _NO_BUCKET or (code in _MISSING and call.operation == "HeadBucket"):
        bucket = call.thing.removeprefix("s3://").partition("/")[0]
        return Trouble.FATAL, f"no S3 bucket {bucket}: create it, or {call.bucket_setting}"
    if code in _MISSING:
        return Trouble.MISSING, f"no {call.thing}"
    if code in _OTHER_REGION:
        return Trouble.FATAL, f"{call.thing} is in another region: set {call.where}.region to it"
    if code in _CLOCK:
        return Trouble.FATAL, "AWS refuses the time of this machine's clock: set the clock right"
    if code in _LIMIT:
        return Trouble.FATAL, f"an AWS quota is used up ({code}): {reason}"
    if status >= 500 or code in _RETRY_LATER:
        return Trouble.DOUBTFUL, f"AWS answers {call.operation} with an error of its own ({code})"
    return Trouble.REFUSED, f"AWS refuses {call.operation} on {call.thing}: {reason or code}"


def _own_failure(exc: Exception, call: AwsCall) -> tuple[Trouble, str]:
    """What a call that got no answer means: credentials, settings or the network."""
    from botocore import exceptions as boto

    if isinstance(exc, boto.NoCredentialsError):
        return Trouble.FATAL, (
            f"no AWS credentials: run aws configure, or set AWS_PROFILE or {call.where}.profile"
        )
    if isinstance(exc, boto.PartialCredentialsError):
        missing = exc.kwargs.get("cred_var", "a part")
        return Trouble.FATAL, f"the AWS credentials lack {missing}: set it, or run aws configure"
    if isinstance(exc, _login_errors()):
        return Trouble.FATAL, f"the AWS login cannot be used any more: {_login(call)}"
    if isinstance(exc, boto.CredentialRetrievalError):
        return Trouble.FATAL, f"the AWS credentials cannot be read: {exc}"
    if isinstance(exc, boto.NoRegionError):
        return Trouble.FATAL, (
            f'no AWS region: set {call.where}.region, e.g. region = "eu-west-1", '
            "or AWS_DEFAULT_REGION"
        )
    if isinstance(exc, boto.ProfileNotFound):
        name = exc.kwargs.get("profile", "")
        return Trouble.FATAL, (
            f"no AWS profile {name!r}: aws configure list-profiles shows those there are"
        )
    return _connection_failure(exc, call)


def _connection_failure(exc: Exception, call: AwsCall) -> tuple[Trouble, str]:
    from botocore import exceptions as boto

    url = str(getattr(exc, "kwargs", {}).get("endpoint_url") or "AWS")
    if isinstance(exc, boto.SSLError):
        return Trouble.FATAL, f"no secure connection to {url}: {exc.kwargs.get('error', exc)}"
    if isinstance(exc, boto.ProxyConnectionError):
        return Trouble.UNSENT, "the proxy cannot be reached: check HTTPS_PROXY"
    if isinstance(exc, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        return Trouble.UNSENT, f"{url} cannot be reached: check the network and the region"
    if isinstance(exc, boto.ReadTimeoutError):
        return Trouble.DOUBTFUL, f"{url} gave no answer to {call.operation} in time"
    if isinstance(exc, boto.HTTPClientError):
        return Trouble.DOUBTFUL, f"the connection to {url} broke during {call.operation}"
    if isinstance(exc, boto.ParamValidationError):
        report = str(exc.kwargs.get("report", exc))
        return Trouble.REFUSED, f"{call.operation} cannot be sent for {call.thing}: {report}"
    if isinstance(exc, boto.BotoCoreError):
        return Trouble.REFUSED, f"{call.operation} failed for {call.thing}: {exc}"
    if isinstance(exc, ValueError):
        message = f"{exc}: check AWS_ENDPOINT_URL, the region and {call.where}"
        return Trouble.FATAL, f"AWS cannot be called: {message}"
    return Trouble.REFUSED, f"{call.operation} failed for {call.thing}: {exc}"


def _login_errors() -> tuple[type[Exception], ...]:
    from botocore import exceptions as boto

    return (boto.SSOError, boto.TokenRetrievalError)


def _profile_option(call: AwsCall) -> str:
    return f" --profile {call.profile}" if call.profile else ""


def _login(call: AwsCall) -> str:
    return f"log in again (aws sso login{_profile_option(call)}), then run the same command"


def _one_line(message: str) -> str:
    """A message without line ends, and without what a URL may hold before its host."""
    return re.sub(r"//[^/@\s]*@", "//", " ".join(message.split()))
