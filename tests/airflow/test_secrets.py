"""No secret in anything that Airflow keeps: logs at DEBUG, XCom, rendered templates, every row of its database.

Airflow runs tasks that succeed and tasks that fail with each kind of credentials; everything it wrote is searched.
"""

from __future__ import annotations

import html
import json
import logging
import re
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_dli.client.obs.client import redact_logs
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.hooks.dli import DliHook
from dli_emulator.keys import User
from tests.airflow.airflow_process import AirflowProcess

PASSWORD = "pass/wörd +%&=<'\"> of the IAM user"
_SIGNATURE = re.compile(rb"(?i)signature[=:]\s*[0-9a-f]{64}")


def forms(secret: str) -> set[bytes]:
    """Return the forms in which a string may be written; those too short to be significant are omitted."""
    raw = secret.encode()
    # base64 of a string inside a longer one: three alignments, without the ends that depend on the neighbours
    shifted = {b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)}
    texts = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(quote(secret, safe=""), safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        html.escape(secret),
        raw.hex(),
    }
    return {form for form in {text.encode() for text in texts} | shifted if len(form) > 11}


def test_the_search_finds_secrets() -> None:
    """Each form, wherever it is."""
    for secret in (PASSWORD, "AbcdEfghIjklMnopQrst"):
        hidden = [
            f"x {secret} y".encode(),
            quote(f"?a={secret}&").encode(),
            json.dumps({"a": secret}).encode(),
            *(b64encode(b"q" * shift + f"user:{secret}".encode() + b"z") for shift in range(3)),
            secret.encode().hex().encode(),
        ]
        assert all(any(form in text for form in forms(secret)) for text in hidden)
        assert not any(form in b"nothing of it is in this string" for form in forms(secret))


def written(home: Path) -> Iterator[tuple[str, bytes]]:
    """Yield everything that Airflow wrote, each with its place: every file, and every row of the database."""
    for path in home.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()
    with closing(sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 -- the database's own names
                cells = [cell if isinstance(cell, bytes) else str(cell).encode() for cell in row]
                yield f"table {table}", b"\n".join(cells)


def secrets_of(emulator: Any) -> dict[str, str]:
    """Return every secret of the emulator's state, by what it is."""
    keys, state = emulator.state.keys, emulator.state
    found = {"password": PASSWORD}
    for key in keys.access_keys.values():
        found[f"secret key of {key.access_key}"] = key.secret_key
        if key.security_token:
            found[f"security token of {key.access_key}"] = key.security_token
    found |= {f"token {number}": token for number, token in enumerate((*keys.tokens, *keys.id_tokens))}
    return found | {f"metadata session {number}": token for number, token in enumerate(state.metadata_tokens)}


def connections(emulator: Any, id_token_file: Path) -> dict[str, str]:
    """Return a connection for each kind of credentials."""
    user = User("ops", PASSWORD, emulator.state.identity.domain)
    emulator.state.keys.users[user.name] = user
    password = json.loads(emulator.connection("password"))
    extra = json.loads(emulator.connection("access_key"))["extra"]
    keyless = {
        kind: json.dumps({"conn_type": "dli", "extra": {**extra, "auth_type": kind}})
        for kind in ("environment", "credentials_file")
    }
    return {
        "access_key": emulator.connection("access_key"),
        "temporary": emulator.connection("temporary", project_id=None),
        "password": json.dumps(password | {"login": user.name, "password": user.password}),
        "token": emulator.connection("token"),
        "metadata": emulator.connection("metadata"),
        "oidc": emulator.connection("oidc", id_token_file=str(id_token_file)),
        **keyless,
        "agency": emulator.connection("access_key", agency=True),
    }


def test_nothing_that_airflow_keeps_has_a_secret(
    airflow_process: AirflowProcess, dli_emulator: Any, tmp_path: Path
) -> None:
    """Successful and failed tasks, each kind of credentials."""
    given = connections(dli_emulator, tmp_path / "id-token")
    for name, connection in given.items():
        airflow_process.connect(f"dli_{name}", connection)
    run = airflow_process.trigger("secrets_of_each_kind", {"bucket": dli_emulator.bucket})
    tasks = airflow_process.finish("secrets_of_each_kind", run, 240)
    expected = {
        f"{task}_{name}": state
        for name in given
        for task, state in [
            ("export", "success"),
            ("verify", "success"),
            ("deferred", "failed"),
            ("unknown_job", "failed"),
            ("missing_bucket", "failed"),
        ]
    }
    assert {name: task["state"] for name, task in tasks.items()} == expected
    kept = list(written(airflow_process.home))
    assert any(b"botocore" in text for place, text in kept if place.startswith("logs"))
    for what, secret in secrets_of(dli_emulator).items():
        found = [place for place, text in kept for form in forms(secret) if form in text]
        assert found == [], f"{what} is in {found}"
    assert [place for place, text in kept if _SIGNATURE.search(text)] == []


ECHOES = ("access_key", "temporary", "password", "token", "metadata", "oidc")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ECHOES)
def test_credentials_that_a_service_repeats_are_not_in_the_message(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, kind: str, tmp_path: Path
) -> None:
    """Some gateways show the request that they refuse."""
    extra = {"id_token_file": str(tmp_path / "token")} if kind == "oidc" else {}
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection(kind, retry_budget=0, **extra))
    dli_emulator.fault("ShowFlinkJob", "echo", status=400)
    with pytest.raises(DliException, match="HTTP 400") as caught:
        DliHook().get_flink_job(100)
    message = f"{caught.value} {caught.value!r} {caught.value.error!r} {caught.value.error.__dict__}"
    assert "x-project-id" in message.lower()
    assert [what for what, secret in secrets_of(dli_emulator).items() if secret in message] == []
    assert not _SIGNATURE.search(message.encode())


def test_a_password_that_a_service_repeats_is_not_in_the_message(
    dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From IAM, when a token is requested; as JSON encodes it."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", connections(dli_emulator, tmp_path / "token")["password"])
    dli_emulator.fault("KeystoneCreateUserTokenByPassword", "echo", status=400)
    with pytest.raises(DliException, match="HTTP 400") as caught:
        DliHook().get_flink_job(100)
    assert "ops" in str(caught.value)
    assert not [form for form in forms(PASSWORD) if form.decode() in str(caught.value)]


def test_botocores_logs_are_redacted(caplog: pytest.LogCaptureFixture) -> None:
    """Signature and token are redacted, the rest is kept; a record without them is unchanged."""
    redact_logs()
    redact_logs()
    with caplog.at_level(logging.DEBUG, "botocore.auth"):
        logger = logging.getLogger("botocore.auth")
        logger.debug("Signature:\n%s", "ab" * 32)
        logger.debug("GET\n/b/k\n\nhost:h\nx-amz-security-token:SECRET\n\nhost;x-amz-security-token\nUNSIGNED")
        logger.debug(
            "headers={'X-Amz-Security-Token': b'SECRET', 'Authorization': b'A Credential=SECRET/1, Signature=%s'}",
            "cd" * 32,
        )
        logger.debug("plain %s", 7)
    first, second, third, last = (record.getMessage() for record in caplog.records)
    assert first == "Signature:\n***"
    assert second.endswith("x-amz-security-token:***\n\nhost;x-amz-security-token\nUNSIGNED")
    assert third == "headers={'X-Amz-Security-Token': ***, 'Authorization': b'A Credential=***, Signature=***}"
    assert (last, caplog.records[3].args) == ("plain 7", (7,))
