"""Secrets are masked by Airflow's own masker, wherever this Airflow has it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_provider_dli.hooks import masking

SCRIPT = """

from airflow_provider_dli.hooks.dli import DliHook
DliHook().account
from airflow_provider_dli.hooks.masking import _PLACES
from importlib import import_module
for place in _PLACES:
    try:
        redact = import_module(place).redact
    except (ImportError, AttributeError):
        continue
    print(redact("a task prints sk-to-be-masked here"))
    break
"""


def test_the_secret_key_is_masked_in_this_airflow(airflow_environ: dict[str, str]) -> None:
    """What the connection keeps secret is starred out by Airflow itself once the connection was read."""
    connection = {
        "conn_type": "dli",
        "login": "AK",
        "password": "sk-to-be-masked",
        "extra": {"region": "cn-north-4", "project_id": "0" * 32},
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=airflow_environ | {"AIRFLOW_CONN_DLI_DEFAULT": json.dumps(connection)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "a task prints *** here"


def test_an_airflow_without_a_masker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silently unmasked: the places that were tried are in the error."""
    monkeypatch.setattr(masking, "_PLACES", ("airflow.no_such_module", "json"))
    with pytest.raises(ImportError, match=r"mask_secret is in none of airflow\.no_such_module, json"):
        masking.mask_secret("secret")
