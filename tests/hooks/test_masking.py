"""Secrets are masked by Airflow's own masker, wherever this Airflow has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_dli import compat

SCRIPT = """

from airflow_provider_dli.hooks.dli import DliHook
for kind in ("access_key", "environment", "credentials_file"):
    DliHook(f"dli_{kind}").account
from airflow_provider_dli.compat import PLACES
from importlib import import_module
for place in PLACES["mask_secret"]:
    try:
        redact = import_module(place).redact
    except (ImportError, AttributeError):
        continue
    for kind in ("access_key", "environment", "credentials_file"):
        print(redact(f"a task prints sk-of-{kind} here"))
    break
"""


def test_secret_keys_are_masked_in_this_airflow(airflow_environ: dict[str, str], tmp_path: Path) -> None:
    """Airflow itself masks the secrets of a connection, and those that it names, once it was read."""
    (tmp_path / "file").write_text("[basic]\nak = AK\nsk = sk-of-credentials_file\n")
    environment = {
        "HUAWEICLOUD_SDK_AK": "AK",
        "HUAWEICLOUD_SDK_SK": "sk-of-environment",
        "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(tmp_path / "file"),
    }
    for kind in ("access_key", "environment", "credentials_file"):
        extra = {"auth_type": kind, "region": "cn-north-4", "project_id": "0" * 32}
        key = {"login": "AK", "password": "sk-of-access_key"} if kind == "access_key" else {}
        environment[f"AIRFLOW_CONN_DLI_{kind.upper()}"] = json.dumps({"conn_type": "dli", **key, "extra": extra})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=airflow_environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-3:] == ["a task prints *** here"] * 3


def test_an_airflow_without_a_masker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silently unmasked: the error has the modules without it."""
    monkeypatch.delitem(vars(compat), "mask_secret", raising=False)
    monkeypatch.setitem(compat.PLACES, "mask_secret", ("airflow.no_such_module", "json"))
    with pytest.raises(ImportError, match=r"mask_secret is in none of airflow\.no_such_module, json"):
        compat.mask_secret("secret")
