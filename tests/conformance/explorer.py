"""schemathesis against the emulator: it draws requests, which our signer signs, and checks the responses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import schemathesis
from requests.auth import AuthBase
from schemathesis import Case, HookContext
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.hooks import unregister

import dli_emulator as package
from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.credentials import AccessKey, canonical_query, sdk_date, sign
from dli_emulator import Emulator
from dli_emulator.dli.archives import archive_of
from dli_emulator.flink_job import NAME_LENGTH
from dli_emulator.keys import Token
from dli_emulator.state import Template

if TYPE_CHECKING:
    from requests import PreparedRequest

DESCRIPTION = Path(package.__file__).parent / "openapi.json"
#: the checks of each response
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
#: ids of the templates that exist
TEMPLATES = (1001, 1002)
#: an archive that exists, that of the description's example
ARCHIVE = "aggregate_1582677879475.zip"
#: a session of the metadata service, and a token of IAM
SESSION = "session-or-token"
#: the state is reset before each so many requests
RESET_EACH = 100
PHASES = ("examples", "coverage", "fuzzing", "stateful")
_SIGNED = ("Content-Type", "X-Subject-Token")


def description() -> dict[str, Any]:
    """Read the description that the emulator ships."""
    text: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    return text


class OurSignature(AuthBase):
    """Signs what requests is about to send with the signer of our client.

    :param key: to sign with
    """

    def __init__(self, key: AccessKey) -> None:
        self._key = key

    def __call__(self, prepared: PreparedRequest) -> PreparedRequest:
        """Sign it; the query is written by the rules of the signature, with %20 for a space."""
        parts = urlsplit(prepared.url or "")
        query = canonical_query(parse_qsl(parts.query, keep_blank_values=True))
        prepared.url = urlunsplit(parts._replace(query=query))
        named = [(name, prepared.headers[name]) for name in _SIGNED if name in prepared.headers]
        headers = tuple((name, str(value)) for name, value in named if str(value).isascii())
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b""
        bare = Request(prepared.method or "", prepared.url, (("Host", parts.netloc), *headers), bytes(body))
        prepared.headers.update(dict(sign(bare, self._key, sdk_date(datetime.now(UTC))).headers))
        return prepared


class Steps:
    """Steps before each request, so that many requests do not disturb each other.

    :param emulator: that gets the requests
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._numbers = count()

    def before_call(self, context: HookContext, case: Case[Any], _arguments: Mapping[str, Any]) -> None:
        """Reset the state now and then; add a number of its own to each valid name in a request to create."""
        number = next(self._numbers)
        if number % RESET_EACH == 0:
            self._refresh()
        body: Any = case.body
        name = body.get("name") if isinstance(body, dict) else None
        operation = context.operation.definition.raw.get("operationId", "") if context.operation else ""
        if operation.startswith("Create") and isinstance(name, str) and 0 < len(name) <= NAME_LENGTH:
            case.body = {**body, "name": f"{name[:45]}#{number}"}

    def _refresh(self) -> None:
        """Reset the state, with templates, an archive and a session that requests may name."""
        emulator, state = self._emulator, self._emulator.state
        emulator.reset()
        home = state.projects[state.identity.project_id]
        for number in TEMPLATES:
            home.templates[number] = Template(number, f"template {number}", "", "select 1", "flink_sql_job", 1)
        state.metadata_tokens[SESSION] = ends = state.clock() + 3600
        state.keys.tokens[SESSION] = Token(SESSION, state.keys.users[state.identity.user], 0.0, ends)
        emulator.s3.put_object(Bucket=emulator.bucket, Key=ARCHIVE, Body=archive_of([home.jobs[100]], 1.6e9))


@dataclass
class Found:
    """The requests and findings of a run of schemathesis.

    :param cases: requests sent, by phase
    :param failures: what the checks found wrong in a response, each once
    :param failed_in: the phase of each failure, repeated ones too
    :param errors: what kept schemathesis from testing an operation
    """

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    failed_in: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def take(self, event: events.EngineEvent) -> None:
        """Count the requests and failures of an event."""
        if isinstance(event, events.NonFatalError):
            self.errors.append(f"{event.label}: {event.value}")
        if not isinstance(event, events.ScenarioFinished):
            return
        recorder = event.recorder
        self.cases[event.phase.value] += len(recorder.interactions)
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is not None:
                self.statuses[
                    f"{recorder.cases[case_id].value.operation.label} {interaction.response.status_code}"
                ] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE:
                    where = recorder.cases[case_id].value.operation.label
                    failure = check.failure_info.failure if check.failure_info else None
                    self.failed_in.append(event.phase.value)
                    self.failures.setdefault(f"{where}: {check.name}", str(failure))


def explore(emulator: Emulator, seed: int, *, most: int, phases: Collection[str]) -> Found:
    """Let schemathesis test every operation of a running emulator.

    :param emulator: to test; its state is changed
    :param seed: the same seed draws the same requests
    :param most: how many requests it draws for an operation in a phase
    :param phases: which of its phases are on
    """
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "workers": 1,
            "dictionaries": {
                "jobs": {"values": list(emulator.state.jobs)},
                "sessions": {"values": [SESSION]},
                "templates": {"values": [*TEMPLATES]},
                "places": {
                    "values": [emulator.bucket, f"{emulator.bucket}/a", f"{emulator.bucket}/\x01", "A B/c"]
                },
            },
            "parameters": {
                "path.project_id": emulator.project_id,
                "path.job_id": {"dictionary": "jobs", "probability": 0.7},
                "path.template_id": {"dictionary": "templates", "probability": 0.7},
                "body.job_ids[*]": {"dictionary": "jobs", "probability": 0.9},
                "body.job_selected[*]": {"dictionary": "jobs", "probability": 0.9},
                "body.obs_dir": {"dictionary": "places", "probability": 0.8},
                "body.zip_file": {"dictionary": "places", "probability": 0.5},
                "header.X-Metadata-Token": {"dictionary": "sessions", "probability": 0.5},
                "header.X-Subject-Token": {"dictionary": "sessions", "probability": 0.5},
            },
            "generation": {"max-examples": most, "deterministic": False, "database": "none"},
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
        }
    )
    schema = schemathesis.openapi.from_dict(description(), config=config)
    schema.config.update(base_url=emulator.dli)
    schema.auth.set_from_requests(OurSignature(AccessKey(emulator.access_key, emulator.secret_key)))
    found = Found()
    with _hooked(Steps(emulator)):
        for event in from_schema(schema).execute():
            found.take(event)
    return found


@contextmanager
def _hooked(steps: Steps) -> Iterator[None]:
    """Have schemathesis take steps before each request; it knows such hooks of the process only."""

    @schemathesis.hook
    def before_call(context: HookContext, case: Case[Any], kwargs: Mapping[str, Any]) -> None:
        steps.before_call(context, case, kwargs)

    try:
        yield
    finally:
        unregister(before_call)
