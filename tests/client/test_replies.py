"""Every shape of reply that the API sheet marks, parsed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.call import Call, Reply
from airflow_provider_dli.client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnavailableError,
    UnexpectedReplyError,
)
from airflow_provider_dli.client.exchange import parse_reply
from airflow_provider_dli.client.replies import decode, moment, retry_after

EXPORT = flink.export_jobs("obs-test")
ARCHIVE = "obs-test/aggregate_1582677879475.zip"


def reply(body: object, status: int = 200, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {"x-request-id": "r-1", **headers}, raw)


@pytest.mark.parametrize("is_success", [True, "true", "True", "TRUE", " true "])
@pytest.mark.parametrize("name", ["zip_file", "zip_files"])
def test_success_in_all_its_forms(is_success: object, name: str) -> None:
    """Boolean and string, the array's name of today and of 2020."""
    body = {"is_success": is_success, "message": "", name: [ARCHIVE]}
    assert parse_reply(EXPORT, reply(body)) == flink.ExportResult((ARCHIVE,), "")


def test_a_success_may_come_without_a_message() -> None:
    """By the manual it may be empty; it may be null or missing too."""
    assert parse_reply(EXPORT, reply({"is_success": "true", "message": None, "zip_file": ARCHIVE})).message == ""


@pytest.mark.parametrize("is_success", [False, "false", "False", "FALSE", " false\n"])
def test_no_success_with_status_200_is_an_error(is_success: object) -> None:
    """The string "False" is not truthy here."""
    body = {"is_success": is_success, "message": "no agency", "zip_file": [ARCHIVE]}
    with pytest.raises(RefusedError, match="ExportFlinkJobs: HTTP 200: no agency \\(request id r-1\\)"):
        parse_reply(EXPORT, reply(body))


@pytest.mark.parametrize("is_success", ["", None, 0, 1, "yes", "truee", [], {"a": True}, 1.0])
def test_a_success_that_is_neither_true_nor_false_is_unexpected(is_success: object) -> None:
    """Whether the request took effect is unknown."""
    body = {"is_success": is_success, "message": "no agency", "zip_file": [ARCHIVE]}
    with pytest.raises(UnexpectedReplyError, match="is_success should be true or false and is"):
        parse_reply(EXPORT, reply(body))


@pytest.mark.parametrize("call", [EXPORT, flink.delete_job(1)])
def test_a_success_with_an_error_code_is_unexpected(call: Call[Any]) -> None:
    """It contradicts itself: whether the request took effect is unknown."""
    body = {"is_success": True, "error_code": "DLI.0999", "error_msg": "no", "zip_file": [ARCHIVE]}
    with pytest.raises(UnexpectedReplyError, match=r"is_success true and error_code DLI\.0999"):
        parse_reply(call, reply(body))


def test_what_was_promised_shows_a_success() -> None:
    """The manual does not call is_success mandatory."""
    assert parse_reply(EXPORT, reply({"zip_file": [ARCHIVE]})).zip_file == (ARCHIVE,)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (EXPORT, {"message": "exported"}),
        (EXPORT, {"zip_file": [ARCHIVE], "error_code": "DLI.0999", "error_msg": "no"}),
        (flink.run_jobs([1]), {"message": "delivered"}),
        (flink.run_jobs([1]), [{"message": "delivered"}]),
        (flink.run_jobs([1, 2]), [{"is_success": True}, {"message": "delivered"}]),
        (flink.delete_job(1), {}),
        (flink.show_job(1), {"job_detail": {}}),
    ],
)
def test_without_it_and_without_what_was_promised_nothing_is_shown(call: Any, body: Any) -> None:
    """A message alone is none."""
    with pytest.raises(UnexpectedReplyError):
        parse_reply(call, reply(body))


@pytest.mark.parametrize(
    "archives", [{}, {"zip_file": []}, {"zip_file": None}, {"zip_file": [""]}, {"zip_file": [7]}]
)
def test_a_success_without_an_archive_is_an_error(archives: dict[str, Any]) -> None:
    """Without an archive there is nothing to restore from."""
    with pytest.raises(UnexpectedReplyError, match="zip_file should list at least one archive"):
        parse_reply(EXPORT, reply({"is_success": True, **archives}))


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "message"),
    [
        (400, {"error_code": "DLI.29001", "error_msg": "bad path"}, RefusedError, "DLI.29001", "bad path"),
        (400, [{"error_code": "DLI.13024", "error_msg": "No queue."}], RefusedError, "DLI.13024", "No queue."),
        (
            400,
            [{"error_code": "DLI.13024", "error_msg": "a"}, {"error_code": "DLI.13007", "error_msg": "b"}],
            RefusedError,
            "DLI.13024",
            "a; b",
        ),
        (400, {"error_code": "DLI.0003", "error_msg": "no right"}, PermissionDeniedError, "DLI.0003", "no right"),
        (
            400,
            {
                "error_code": "DLI.10001",
                "error_msg": "internal",
                "error_json_opt": {"error": "Unexpected exception[NoSuchElementException: None.get]"},
            },
            UnavailableError,
            "DLI.10001",
            "internal (Unexpected exception[NoSuchElementException: None.get])",
        ),
        (
            400,
            {"error_code": "DLI.10001", "error_json_opt": {"error": "None.get"}},
            UnavailableError,
            "DLI.10001",
            "None.get",
        ),
        (
            400,
            {"error_code": "X.1", "error_msg": ["a"]},
            RefusedError,
            "X.1",
            '{"error_code": "X.1", "error_msg": ["a"]}',
        ),
        (400, [[{"error_code": "X.1"}]], RefusedError, None, '[[{"error_code": "X.1"}]]'),
        (500, {"error_code": 7, "error_msg": 1.5}, UnavailableError, "7", "1.5"),
        (400, {"error_code": "DLI.0999", "error_msg": "server"}, UnavailableError, "DLI.0999", "server"),
        (401, {"error_code": "DLI.0013", "error_msg": "who"}, AuthenticationError, "DLI.0013", "who"),
        (
            401,
            {"error_msg": "verify aksk signature fail", "error_code": "APIGW.0301", "request_id": "g-1"},
            AuthenticationError,
            "APIGW.0301",
            "verify aksk signature fail",
        ),
        (403, {"error_msg": "no", "error_code": "APIGW.0302"}, PermissionDeniedError, "APIGW.0302", "no"),
        (404, {"error_msg": "no API", "error_code": "APIGW.0101"}, RefusedError, "APIGW.0101", "no API"),
        (429, {"error_msg": "slow", "error_code": "APIGW.0308"}, ThrottledError, "APIGW.0308", "slow"),
        (401, {"error": {"code": 401, "message": "bad", "title": "U"}}, AuthenticationError, None, "bad"),
        (400, {"errorCode": "X.1", "errorMsg": "camel"}, RefusedError, "X.1", "camel"),
        (500, {"error_code": "APIGW.0601", "error_msg": "oops"}, UnavailableError, "APIGW.0601", "oops"),
        (503, b"", UnavailableError, None, "no body"),
        (400, [], RefusedError, None, "[]"),
        (400, b"\xff\xfe", RefusedError, None, "\ufffd\ufffd"),
    ],
)
def test_errors_keep_status_code_message_and_request_id(
    status: int, body: object, kind: type[ServiceError], code: str | None, message: str
) -> None:
    """Whatever shape they come in, nothing of them is lost."""
    with pytest.raises(ServiceError) as caught:
        parse_reply(EXPORT, reply(body, status))
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.request_id) == (status, code, message, "r-1")
    assert message in str(error)
    assert f"HTTP {status}" in str(error)
    assert error.advice in str(error)


def test_the_request_id_of_a_gateways_body_is_taken_where_the_header_is_missing() -> None:
    """Huawei Cloud's support needs it."""
    body = json.dumps({"error_code": "APIGW.0301", "error_msg": "no", "request_id": "g-1"}).encode()
    with pytest.raises(AuthenticationError, match="request id g-1"):
        parse_reply(EXPORT, Reply(401, {}, body))


@pytest.mark.parametrize("status", [502, 200])
def test_an_html_page_is_never_a_success(status: int) -> None:
    """A load balancer's page is quoted without its tags, in one line."""
    page = b"<html><head><style>b {}</style></head>\n<body><h1>Bad&nbsp;Gateway</h1>\x1b[31m</body></html>"
    kind = UnavailableError if status == 502 else UnexpectedReplyError
    with pytest.raises(kind, match=r"Bad.Gateway \\x1b\[31m") as caught:
        parse_reply(EXPORT, reply(page, status))
    assert "\n" not in str(caught.value)
    assert "<" not in caught.value.message


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"{", b"[" * 100_000])
def test_a_200_without_a_json_object_is_unexpected(body: bytes) -> None:
    """Not even one that would overflow a naive parser."""
    with pytest.raises(UnexpectedReplyError, match="a JSON object was expected"):
        parse_reply(EXPORT, reply(body))


def test_a_long_page_is_cut() -> None:
    """A megabyte of HTML does not land in the log."""
    with pytest.raises(UnavailableError) as caught:
        parse_reply(EXPORT, reply(b"x" * 1_000_000, 500))
    assert len(str(caught.value)) < 700


def test_transient_errors_are_distinguished() -> None:
    """Retries are spent only where they can help."""
    assert {kind.__name__ for kind in (UnavailableError, ThrottledError) if kind.transient} == {
        "UnavailableError",
        "ThrottledError",
    }
    assert not any(
        kind.transient for kind in (RefusedError, AuthenticationError, PermissionDeniedError, UnexpectedReplyError)
    )


def test_the_messages_of_a_batch_are_joined() -> None:
    """The messages of all, each once; a single one is unchanged."""
    each = [{"is_success": "true", "message": words} for words in ("first", "", "second", "first")]
    assert parse_reply(flink.delete_jobs([1, 2]), reply(each)).message == "first; second"
    assert parse_reply(flink.delete_jobs([1]), reply(each[:1])).message == "first"


def test_an_error_of_a_batch_within_a_success_has_its_class() -> None:
    """By its code, with the status that came and words where it has none."""
    with pytest.raises(PermissionDeniedError) as raised:
        parse_reply(EXPORT, reply({"is_success": "false", "error_code": "DLI.0003"}))
    error = raised.value
    assert (error.operation, error.status, error.code, error.message, error.request_id) == (
        "ExportFlinkJobs", 200, "DLI.0003", "is_success is false", "r-1",
    )  # fmt: skip


def test_what_cannot_be_read_names_operation_and_request() -> None:
    """A success without is_success, an empty body, a redirect to nowhere."""
    replies = {
        (200, b"{}"): "zip_file should list at least one archive",
        (200, b""): "an empty body",
        (302, b""): "redirected to 'nowhere', which is not followed",
    }
    for (status, body), words in replies.items():
        with pytest.raises(UnexpectedReplyError) as raised:
            parse_reply(EXPORT, reply(body, status))
        error = raised.value
        assert (error.operation, error.request_id) == ("ExportFlinkJobs", "r-1")
        assert words in error.message


@pytest.mark.parametrize("name", ["error_code", "errorCode", "code"])
def test_the_code_may_have_three_names(name: str) -> None:
    """Of DLI, of IAM, of a gateway."""
    with pytest.raises(RefusedError) as raised:
        parse_reply(EXPORT, reply({name: "X.1", "message": "no"}, 400))
    assert raised.value.code == "X.1"


DEPTHS = [10, 400, 700, 900, 950, 980, 990, 1000, 5000, 100_000]


@pytest.mark.slow
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"[", b"]"),
        (b'{"error":', b"}"),
        (b'{"error_msg":', b"}"),
        (b'{"is_success":', b"}"),
        (b'[{"is_success":"true","message":', b"}]"),
    ],
)
@pytest.mark.parametrize("status", [400, 200])
def test_a_deeply_nested_reply_is_an_error_of_ours(status: int, before: bytes, after: bytes, depth: int) -> None:
    """JSON's parser may take more than what walks through it can."""
    with pytest.raises(RefusedError if status == 400 else (UnexpectedReplyError, RefusedError)):
        parse_reply(EXPORT, reply(before * depth + b"1" + after * depth, status))


@pytest.mark.parametrize("depth", DEPTHS)
def test_nested_values_in_place_of_a_message(depth: int) -> None:
    """However deep, the result is a success or an error of ours."""
    inner = b"[" * depth + b"]" * depth
    for body in (
        b'{"is_success":' + inner + b"}",
        b'[{"is_success":"true","message":' + inner + b',"zip_file":["obs-test/a.zip"]},{"is_success":"true"}]',
        b'{"is_success":"true","zip_file":' + inner + b"}",
    ):
        try:
            parse_reply(EXPORT, reply(body))
        except ServiceError as error:
            assert len(str(error)) < 3000  # noqa: PT017 -- or it is a success


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", '"many"', "{}", "[]"])
def test_an_invalid_number_is_an_unexpected_reply(number: str) -> None:
    """Infinity included, which JSON's parser makes of a number that is too large."""
    body = f'{{"is_success": "true", "job_list": {{"total_count": {number}, "jobs": []}}}}'.encode()
    with pytest.raises(UnexpectedReplyError, match="ListFlinkJobs: HTTP 200: the reply cannot be read: "):
        parse_reply(flink.list_jobs({}), reply(body))


@pytest.mark.parametrize("error", [KeyError("a"), AttributeError("a"), IndexError("a"), ZeroDivisionError("a")])
def test_whatever_a_parser_raises_is_an_unexpected_reply(error: Exception) -> None:
    """A reply of another form than the manual's never ends in an error of Python's."""

    def stumble(_body: Any) -> Any:
        raise error

    with pytest.raises(UnexpectedReplyError, match=r"the reply cannot be read: '?a'?"):
        parse_reply(Call("Anything", "GET", "/", stumble), reply({"is_success": True}))


def test_replies_are_escaped_for_terminals() -> None:
    """Not its headers either."""
    for status, headers in (
        (200, {"x-request-id": "r\x1b[2J"}),
        (302, {"location": "\x1b[2J\udcff"}),
        (429, {"x-request-id": "r\u202e" + "1" * 9999}),
    ):
        with pytest.raises(ServiceError) as caught:
            parse_reply(EXPORT, reply({"is_success": "false"}, status, **headers))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("requested", "date", "seconds"),
    [
        ("Thu, 15 Jan 2026 08:31:00 GMT", "Thu, 15 Jan 2026 08:30:48 -0000", 12.0),
        ("Thu, 15 Jan 2026 08:31:00", "Thu, 15 Jan 2026 16:30:48 +0800", 12.0),
        ("Thu, 15 Jan 2026 08:31:00 +9999999999999999999", "Thu, 15 Jan 2026 08:30:48 GMT", None),
        ("Thu, 15 Jan 2026 08:31:00 GMT", "", None),
    ],
)
def test_dates_without_a_zone_are_utc(requested: str, date: str, seconds: float | None) -> None:
    """In Retry-After and in Date alike."""
    assert retry_after(reply({}, 429, **{"retry-after": requested, "date": date})) == seconds


@pytest.mark.usefixtures("abroad")
@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_a_date_is_read_in_utc_wherever_the_worker_is(zone: str) -> None:
    """``-0000`` means that the zone is unknown."""
    read = moment(f"Wed, 25 Nov 2026 01:02:03 {zone}")
    assert read == datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
    assert read.utcoffset() == datetime.now(UTC).utcoffset()


def test_a_refusal_in_a_success_is_of_the_kind_of_its_status() -> None:
    """A refusal without a code is classified by the HTTP status, which is a success here."""
    with pytest.raises(RefusedError) as refused:
        decode("ExportFlinkJobs", Reply(200, {}, b'{"is_success": false, "message": "no"}'))
    assert type(refused.value) is RefusedError
    assert refused.value.status == 200


@pytest.mark.parametrize("space", ["", " ", "\n\t"])
def test_an_envelope_in_a_message_may_have_spaces_around_it(space: str) -> None:
    """It is JSON all the same."""
    inner = space.encode("unicode_escape").decode() + '{\\"is_success\\": \\"true\\", \\"path\\": \\"p\\"}'
    decoded = decode(
        "ExecuteFlinkJobSavepoint", Reply(200, {}, f'{{"is_success": true, "message": "{inner}"}}'.encode())
    )
    assert decoded["path"] == "p"


def test_the_message_of_a_batch_of_one_is_unchanged() -> None:
    """An array of one is that one, its message untouched, be it missing."""
    assert decode("RunFlinkJobs", Reply(200, {}, b'[{"is_success": "true"}]')) == {"is_success": "true"}
