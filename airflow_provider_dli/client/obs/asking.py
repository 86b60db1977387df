"""Ask OBS through boto3, and turn what goes wrong into our own error tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeVar

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from airflow_provider_dli.client.errors import (
    AuthenticationError,
    ConfigurationError,
    NoResponseError,
    PermissionDeniedError,
    RefusedError,
    ResponseLostError,
    ServiceError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.replies import UNREADABLE, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_dli.client.locations import ObsLocation

T = TypeVar("T")

_OK = 200
_NOT_FOUND = 404
_CHANGED = 412
_NO_BUCKET = "NoSuchBucket"
# HEAD has no body, and so no code: boto3 takes the status for it.
_MISSING_CODES = {"404", "NoSuchKey", "NotFound"}
_AUTHENTICATION_CODES = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "InvalidToken",
    "ExpiredToken",
}
_RIGHT_TO_READ = "to read this bucket and its objects"
_OTHER_RIGHTS = {
    "ListObjects": "to list the objects of this bucket",
    "PutObject": "to write to this bucket",
    "DeleteObject": "to delete objects of this bucket",
    "CopyObject": "to read the source, and to write to the bucket of the copy",
}


class MissingError(RefusedError):
    """There is no such object."""


class ReplacedError(UnavailableError):
    """The object is no longer the version that was looked up."""


def asked(operation: str, place: ObsLocation, ask: Callable[[], T]) -> T:
    """Ask OBS; our own error tree for everything that is no answer.

    :param operation: what is asked, for messages
    :param place: of what
    :param ask: asks it, by boto3
    :returns: what it returned
    :raises MissingError: if there is no such object
    :raises ReplacedError: if it is another version than the one that was asked for
    :raises ServiceError: the kind that fits, for every other refusal; one that names the bucket if that is missing
    :raises NotSentError: if OBS cannot be reached
    :raises ResponseLostError: if no answer came
    :raises UnexpectedReplyError: if what came is no response of OBS
    """
    try:
        return ask()
    except ClientError as error:
        _refuse(operation, place, error)
    except ParamValidationError as error:
        raise ConfigurationError("place", f"{place.url[:200]!r} cannot be used: {error}", "correct it") from error
    except HTTPClientError as error:
        ours = error.kwargs.get("error")
        kind = type(ours) if isinstance(ours, NoResponseError) else ResponseLostError
        raise kind(
            operation, place.url, ours.reason if isinstance(ours, NoResponseError) else str(error)
        ) from error
    except (BotoCoreError, Boto3Error) as error:
        raise ResponseLostError(operation, place.url, str(error)) from error
    except (ResponseParserError, *UNREADABLE) as error:
        # What botocore makes of a response that it was not made for.
        problem = f"the response about {place.url} cannot be read: {type(error).__name__}: {error}"
        raise UnexpectedReplyError(operation, _OK, None, one_line(problem), None) from error


def looked_up(operation: str, place: ObsLocation, ask: Callable[[], T]) -> T | None:
    """Ask OBS for what may not be there; None if it is not.

    :param operation: what is asked, for messages
    :param place: of what
    :param ask: asks it, by boto3
    :raises DliClientError: as :func:`asked` does
    """
    try:
        return asked(operation, place, ask)
    except MissingError:
        return None


def _refuse(operation: str, place: ObsLocation, error: ClientError) -> NoReturn:
    metadata = error.response["ResponseMetadata"]
    status, code = metadata["HTTPStatusCode"], error.response["Error"].get("Code", "")
    if status == _CHANGED:
        raise changed(place, status, code, metadata.get("RequestId")) from error
    message = error.response["Error"].get("Message", "no message")
    raise refusal(operation, place, status, code, message, metadata.get("RequestId")) from error


def refusal(
    operation: str, place: ObsLocation, status: int, code: str, message: str, request_id: str | None
) -> ServiceError:
    """Make the error for an answer that is no success.

    :param operation: what was asked
    :param place: of what
    :param status: HTTP status
    :param code: the service's own code
    :param message: its words
    :param request_id: support asks for it
    """
    if code == _NO_BUCKET:
        return no_bucket(place.bucket, operation, request_id)
    kind = _kind(status, code)
    advice = None
    if kind is PermissionDeniedError:
        advice = f"The access key needs the right {_OTHER_RIGHTS.get(operation, _RIGHT_TO_READ)}."
    return kind(operation, status, code, f"{place.url}: {message}", request_id, advice)


def _kind(status: int, code: str) -> type[ServiceError]:
    if code in _AUTHENTICATION_CODES:
        return AuthenticationError
    if status in (401, 403):
        return PermissionDeniedError
    if status == _NOT_FOUND and code in _MISSING_CODES:
        return MissingError
    if status == 429 or code in ("SlowDown", "TooManyRequests"):  # noqa: PLR2004 -- an HTTP status
        return ThrottledError
    if status >= 500:  # noqa: PLR2004 -- an HTTP status
        return UnavailableError
    return RefusedError


def no_bucket(bucket: str, operation: str = "HeadBucket", request_id: str | None = None) -> RefusedError:
    """Make the error for a bucket that is not there: waiting will not help.

    :param bucket: its name
    :param operation: what was asked
    :param request_id: support asks for it
    """
    return RefusedError(
        operation,
        _NOT_FOUND,
        _NO_BUCKET,
        f"there is no bucket {bucket!r}",
        request_id,
        "Check the bucket's name and the region and obs_endpoint of the connection.",
    )


def changed(
    place: ObsLocation, status: int, code: str, request_id: str | None = None, *, copying: bool = False
) -> ReplacedError:
    """Make the error for an object that is no longer the version that was looked up.

    :param place: the object
    :param status: HTTP status
    :param code: the service's own code
    :param request_id: support asks for it
    :param copying: whether it was to be copied; it was read otherwise
    """
    operation, when = ("CopyObject", "before it was copied") if copying else ("GetObject", "while it was read")
    return ReplacedError(
        operation,
        status,
        code,
        f"{place.url} was replaced or deleted {when}",
        request_id,
        "Verify again, and find out who writes to this directory.",
    )
