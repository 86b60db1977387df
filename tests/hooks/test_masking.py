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
DliHook().account
from airflow_provider_dli.compat import PLACES
from importlib import import_module
for place in PLACES["mask_secret"]:
    try:
        redact = import_module(place).redact
    except (ImportError, AttributeError):
        continue
    print(redact("a task prints sk-to-be-masked here"))
    break
"""


@pytest.mark.parametrize("auth_type", ["access_key", "environment", "credentials_file"])
def test_the_secret_key_is_masked_in_this_airflow(
    auth_type: str, airflow_environ: dict[str, str], tmp_path: Path
) -> None:
    """Airflow itself masks the secrets of a connection, and those that it names, once it was read."""
    extra = {"auth_type": auth_type, "region": "cn-north-4", "project_id": "0" * 32}
    key = {"login": "AK", "password": "sk-to-be-masked"} if auth_type == "access_key" else {}
    connection = {"conn_type": "dli", **key, "extra": extra}
    environment = {"AIRFLOW_CONN_DLI_DEFAULT": json.dumps(connection)}
    if auth_type == "environment":
        environment |= {"HUAWEICLOUD_SDK_AK": "AK", "HUAWEICLOUD_SDK_SK": "sk-to-be-masked"}
    if auth_type == "credentials_file":
        (tmp_path / "file").write_text("[basic]\nak = AK\nsk = sk-to-be-masked\n")
        environment["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(tmp_path / "file")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=airflow_environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "a task prints *** here"


def test_an_airflow_without_a_masker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silently unmasked: the error has the modules without it."""
    monkeypatch.delitem(vars(compat), "mask_secret", raising=False)
    monkeypatch.setitem(compat.PLACES, "mask_secret", ("airflow.no_such_module", "json"))
    with pytest.raises(ImportError, match=r"mask_secret is in none of airflow\.no_such_module, json"):
        compat.mask_secret("secret")
