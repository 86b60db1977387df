"""Ask OBS through boto3, and turn what goes wrong into our own error tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from airflow_provider_dli.client.errors import (
    AnswerLostError,
    AuthenticationError,
    NotSentError,
    PermissionDeniedError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_dli.client.locations import ObsLocation

_NOT_FOUND = 404
_CHANGED = 412
_AUTHENTICATION_CODES = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "InvalidToken",
    "ExpiredToken",
}


def asked(operation: str, place: ObsLocation, ask: Callable[[], Any]) -> dict[str, Any] | None:
    """Ask OBS; None for "not found", our own error tree for everything else that is no answer."""
    try:
        answer: dict[str, Any] = ask()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == _NOT_FOUND and _is_missing_key(error):
            return None
        _refuse(operation, place, error)
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        raise NotSentError(operation, place.url, str(error)) from error
    except BotoCoreError as error:
        raise AnswerLostError(operation, place.url, str(error)) from error
    return answer


def _is_missing_key(error: ClientError) -> bool:
    return error.response["Error"].get("Code") in ("404", "NoSuchKey", "NotFound")


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
    kind, advice = _kind(status, code)
    return kind(operation, status, code, f"{place.url}: {message}", request_id, advice)


def _kind(status: int, code: str) -> tuple[type[ServiceError], str | None]:
    if code in _AUTHENTICATION_CODES:
        return AuthenticationError, None
    if status in (401, 403):
        return PermissionDeniedError, "The access key needs the right to read this bucket and its objects."
    if status == 429 or code in ("SlowDown", "TooManyRequests"):  # noqa: PLR2004 -- an HTTP status
        return ThrottledError, None
    if status >= 500:  # noqa: PLR2004 -- an HTTP status
        return UnavailableError, None
    return RefusedError, None


class ReplacedError(UnavailableError):
    """The object is no longer the version that was looked up."""


def changed(place: ObsLocation, status: int, code: str, request_id: str | None = None) -> ReplacedError:
    """Make the error for an object that is no longer the version that was looked up."""
    return ReplacedError(
        "GetObject",
        status,
        code,
        f"{place.url} was replaced or deleted while it was read",
        request_id,
        "Verify again, and find out who writes to this directory.",
    )
