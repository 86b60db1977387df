"""The how-to guides: what they show is there, and each connection works."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.hooks.dli import DliHook

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_every_picture_is_shown() -> None:
    """And every one that is shown is there: the test of the links checks that."""
    pages = [*DOCS.rglob("*.md"), ROOT / "README.md"]
    shown = set(
        re.findall(r"\(\S*pictures/([\w-]+\.png)\)", "".join(p.read_text(encoding="utf-8") for p in pages))
    )
    assert shown == {path.name for path in (DOCS / "pictures").iterdir()}


CONNECTIONS = re.findall(
    r"```json\n(.*?)```", (DOCS / "howto" / "connect.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.slow
@pytest.mark.parametrize("text", CONNECTIONS)
def test_every_connection_works(
    text: str, dli_emulator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the emulator's own values where the page has placeholders, and its addresses."""
    shown = json.loads(text)
    extra = shown["extra"]
    kind = extra.get("auth_type", "temporary" if "security_token" in extra else "access_key")
    is_elsewhere = kind in ("environment", "credentials_file")
    file = {"id_token_file": str(tmp_path / "token")} if kind == "oidc" else {}
    given = json.loads(
        dli_emulator.connection("access_key" if is_elsewhere else kind, agency="agency_name" in extra, **file)
    )
    if is_elsewhere:
        access_key, secret_key = given.pop("login"), given.pop("password")
        if kind == "environment":
            monkeypatch.setenv("HUAWEICLOUD_SDK_AK", access_key)
            monkeypatch.setenv("HUAWEICLOUD_SDK_SK", secret_key)
        else:
            (tmp_path / ".huaweicloud").mkdir()
            (tmp_path / ".huaweicloud" / "credentials").write_text(f"[basic]\nak={access_key}\nsk={secret_key}\n")
            monkeypatch.setenv("HOME", str(tmp_path))
        given["extra"]["auth_type"] = kind
    endpoints = {"endpoint", "obs_endpoint", "iam_endpoint", "sts_endpoint", "metadata_endpoint"}
    assert set(shown) == set(given)
    assert set(extra) == set(given["extra"]) - endpoints
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", json.dumps(given))
    assert DliHook().test_connection()[0]
