"""The control endpoint, as a test in any language uses it."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from api_client import ApiClient


def post(api: ApiClient, what: str, body: Any = None) -> Any:
    return api.send("POST", f"/_emulator/{what}", {"Content-Type": "application/json"}, json.dumps(body).encode())


def test_faults_are_set_shown_and_cleared(api: ApiClient) -> None:
    """One or a list of them, in the form of the command line's JSON."""
    one = post(api, "faults", {"operation": "ListFlinkJobs", "kind": "throttled", "times": 2, "retry_after": 1})
    assert (one.status, one.body[0]["times"]) == (201, 2)
    assert post(api, "faults", [{"kind": "html"}, {"kind": "slow", "before": 0, "times": None}]).status == 201
    assert api.jobs().headers["retry-after"] == "1"
    shown = api.send("GET", "/_emulator/faults").body
    assert [(fault["operation"], fault["kind"], fault["times"]) for fault in shown] == [
        ("ListFlinkJobs", "throttled", 1),
        ("*", "html", 1),
        ("*", "slow", None),
    ]
    assert api.send("DELETE", "/_emulator/faults").status == 204
    assert api.send("GET", "/_emulator/faults").body == []
    assert api.jobs().status == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"kind": "nonsense"}, "no fault is called"),
        ({"operation": "Nothing", "kind": "html"}, "no operation is called"),
        ([{"kind": "html"}, {}], "no fault is called"),
        ([1], "a fault is a mapping"),
        ([{"kind": "html"}, {"kind": "html", "operation": "Nothing"}], "no operation is called"),
        ("x", "a fault is a mapping"),
    ],
)
def test_nonsense_is_refused(api: ApiClient, body: Any, expected: str) -> None:
    """400 with the reason, and nothing of it is set."""
    reply = post(api, "faults", body)
    assert reply.status == 400
    assert expected in reply.body["error"]
    assert api.send("GET", "/_emulator/faults").body == []
    assert api.send("POST", "/_emulator/faults", {"Content-Type": "application/json"}, b"{").status == 400


def test_requests_are_shown_and_cleared(api: ApiClient) -> None:
    """The log as JSON, without the request for it."""
    api.jobs(limit=3)
    (entry,) = api.send("GET", "/_emulator/requests").body
    assert (entry["operation"], entry["status"], entry["query"]) == ("ListFlinkJobs", 200, [["limit", "3"]])
    assert entry["headers"]["authorization"].endswith("Signature=***")
    assert api.send("DELETE", "/_emulator/requests").status == 204
    assert api.send("GET", "/_emulator/requests").body == []


def test_reset_makes_all_clean(api: ApiClient) -> None:
    """Jobs, faults, requests and the bucket."""
    api.export(100)
    api.emulator.state.jobs.clear()
    post(api, "faults", {"kind": "html"})
    assert post(api, "reset").status == 204
    assert (api.emulator.requests, list(api.emulator.faults), api.stored_keys()) == ([], [], [])
    assert len(api.emulator.state.jobs) == 26


@pytest.mark.parametrize(("method", "what"), [("GET", "reset"), ("PUT", "faults"), ("GET", "nothing")])
def test_other_controls_are_not_found(api: ApiClient, method: str, what: str) -> None:
    """404, in JSON."""
    reply = api.send(method, f"/_emulator/{what}")
    assert (reply.status, list(reply.body)) == (404, ["error"])


def test_only_this_machine_may_control(made: Any) -> None:
    """From any other address of this machine it is forbidden, though DLI answers there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: finds the address that would be used
        except OSError:
            pytest.skip("this machine has no address but loopback")
        outer = probe.getsockname()[0]
    ours = made(host="0.0.0.0")  # noqa: S104 - that is what is tested
    assert ours.emulator.dli.startswith("http://127.0.0.1:")
    assert ours.send("GET", "/_emulator/faults").status == 200
    ours.emulator.dli = ours.emulator.dli.replace("127.0.0.1", outer)
    assert ours.send("GET", "/_emulator/faults").status == 403
    assert ours.jobs().status == 200
