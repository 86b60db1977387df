"""The page of backups in Airflow's own API server: who sees it, and what is shown if something cannot be read."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from environment import BIN, free_port

from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.plugins.backups import shows_pages
from airflow_provider_dli.services.pages import SCRIPT, policy
from tests.backups.made import PROJECT, catalogue_of, make_backup
from tests.services.test_report import Reader

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(not shows_pages(), reason="pages of plugins came with 3.1.1"),
]

NIGHT = datetime(2026, 11, 1, 2, tzinfo=UTC)
SECRET = "a-secret-that-nobody-sees"
#: who may read connections, who may not
ROLES = {"operator": "op", "viewer": "viewer"}


@dataclass
class Reply:
    status: int
    headers: Message
    text: str


@dataclass
class ApiServer:
    """Airflow's API server, and the backups that its page shows."""

    url: str
    root: str
    backups: list[Backup]

    def token(self, user: str) -> str:
        body = json.dumps({"username": user, "password": user}).encode()
        reply = self._send("/auth/token", {"Content-Type": "application/json"}, body)
        return str(json.loads(reply.text)["access_token"])

    def get(self, user: str | None = "operator", path: str = "/dli-backups/", **query: str) -> Reply:
        """Request a page with the cookie of a user, as a browser does."""
        headers = {"Cookie": f"_token={self.token(user)}"} if user else {}
        while True:
            reply = self._send(f"{path}?{urllib.parse.urlencode(query)}", headers)
            if "Refresh" not in reply.headers:
                return reply

    def save_connection(self, conn_id: str, connection: str) -> None:
        body = json.loads(connection)
        body |= {"connection_id": conn_id, "extra": json.dumps(body["extra"])}
        headers = {"Authorization": f"Bearer {self.token('operator')}", "Content-Type": "application/json"}
        assert self._send("/api/v2/connections", headers, json.dumps(body).encode()).status == 201

    def _send(self, path: str, headers: dict[str, str], body: bytes | None = None) -> Reply:
        request = urllib.request.Request(f"{self.url}{path}", body, headers)  # noqa: S310 -- loopback
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 -- loopback
                return Reply(reply.status, reply.headers, reply.read().decode())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read().decode())


@pytest.fixture(scope="module")
def server(
    dli_emulator_session: Any, airflow_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """Run it with one catalogue that can be read, and three that cannot."""
    emulator = dli_emulator_session
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_DLI_DEFAULT", emulator.connection(retry_budget=0))
        catalogue = catalogue_of(emulator, "page-of-backups")
        made = [make_backup(catalogue, NIGHT + night * timedelta(days=1), [100, 101]) for night in range(2)]
    folder = tmp_path_factory.mktemp("api-server")
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in ROLES}))
    url, root = f"http://127.0.0.1:{(port := free_port())}", f"dli_saved={catalogue.root}"
    wrong = json.loads(emulator.connection(retry_budget=0)) | {"password": SECRET}
    environment = airflow_environ | {
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in ROLES.items()),
        "AIRFLOW__DLI__BACKUP_CATALOGUES": f"{root}, dli_none=a-bucket/x, dli_saved=no-such-bucket, "
        f"dli_wrong={emulator.bucket}/x",
        "AIRFLOW_CONN_DLI_WRONG": json.dumps(wrong),
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [BIN / "airflow", "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        found = ApiServer(url, root, made)
        wait_for(url, process, folder / "log")
        found.save_connection("dli_saved", emulator.connection(retry_budget=0))
        yield found
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/api/v2/version", timeout=5):  # noqa: S310 -- loopback
                return
        except OSError:
            time.sleep(0.3)


def test_a_user_sees_the_catalogues_whose_connections_they_may_read(server: ApiServer) -> None:
    """With a connection out of Airflow's database."""
    reply = server.get()
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    read = Reader(reply.text)
    assert "✓ good: 1 project with a usable backup." in read.text
    assert '["verified"], "?catalogue=' in reply.text
    links = {attributes["href"] for tag, attributes in read.elements if tag == "a"}
    assert len({link for link in links if link and "backup=" not in link}) == 4


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("viewer", 403)])
@pytest.mark.parametrize("query", [{}, {"project": PROJECT, "backup": "20261101T020000Z-00000000"}])
def test_nobody_else_sees_anything(
    server: ApiServer, user: str | None, status: int, query: dict[str, str]
) -> None:
    """Neither without a login, nor without the permission to read connections."""
    if query:
        query = query | {"backup": server.backups[0].backup_id, "catalogue": server.root}
    reply = server.get(user, **query)
    assert reply.status == status
    assert len(reply.text) < 100
    assert PROJECT not in reply.text


@pytest.mark.parametrize("path", ["/dli-backups/docs", "/dli-backups/openapi.json", "/dli-backups/../dli-backups"])
def test_there_is_nothing_beside_the_page(server: ApiServer, path: str) -> None:
    """No description of its interface, no file."""
    assert PROJECT not in server.get(None, path).text


def test_what_a_browser_may_do_is_limited(server: ApiServer) -> None:
    """By the policy, which names one script; shown in a frame of Airflow alone, and kept nowhere."""
    headers = server.get().headers
    assert headers["Content-Security-Policy"] == f"{policy(SCRIPT)}; frame-ancestors 'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_one_backup_has_a_page(server: ApiServer) -> None:
    """One that is not in the catalogue has none, whatever it is called."""
    known = {"project": PROJECT, "catalogue": server.root}
    reply = server.get(**known, backup=server.backups[0].backup_id)
    assert reply.status == 200
    assert f"Backup {server.backups[0].backup_id}" in reply.text
    for wrong in ({"backup": "20261101T020000Z-00000000"}, {"backup": "../x"}, {"backup": "x", "project": ".."}):
        reply = server.get(**known | wrong)
        assert reply.status == 404
        assert "There is no such backup" in reply.text


def test_a_catalogue_that_is_not_configured_is_not_read(server: ApiServer) -> None:
    """Nothing is, which only the address names."""
    assert server.get(catalogue="dli_saved=other-bucket").status == 403


@pytest.mark.parametrize(
    ("catalogue", "message"),
    [
        ("dli_none=a-bucket/x", "connection 'dli_none' does not exist"),
        ("dli_saved=no-such-bucket", "there is no bucket 'no-such-bucket'"),
        ("dli_wrong={bucket}/x", "SignatureDoesNotMatch"),
    ],
)
def test_what_cannot_be_read_is_a_message(server: ApiServer, catalogue: str, message: str) -> None:
    """Without a secret; the other catalogues are shown."""
    bucket = server.root.partition("=")[2].partition("/")[0]
    reply = server.get(catalogue=catalogue.format(bucket=bucket))
    assert reply.status == 502
    assert message in Reader(reply.text).text
    assert SECRET not in reply.text
    assert server.get().status == 200


def test_the_menu_has_the_page(server: ApiServer) -> None:
    """Below Browse, as Airflow describes its plugins; it loads without an error."""
    headers = {"Authorization": f"Bearer {server.token('operator')}"}
    plugins = json.loads(server._send("/api/v2/plugins", headers).text)["plugins"]  # noqa: SLF001 -- of this file
    (plugin,) = (each for each in plugins if each["name"] == "dli_backups")
    (view,) = plugin["external_views"]
    assert (view["href"], view["category"], view["destination"]) == ("dli-backups/", "browse", "nav")
