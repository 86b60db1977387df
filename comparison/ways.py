"""The ways that are compared: each a DAG file, an environment with one Airflow, and its connections."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dli_emulator import Emulator

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".cache" / "compare"
WRONG = "wrong-secret-of-the-comparison"
Given = Mapping[str, str]


@dataclass(frozen=True)
class Way:
    """One way to write the nightly export.

    :param name: short, for files and the command line
    :param title: for the page
    :param dag: name of its DAG file, without ``.py``
    :param connect: returns the environment variables that connect it; with its secret, or a wrong one
    :param requirements: file below ``requirements/`` with the packages of its environment; None for ``.venv``
    :param named: distributions whose versions count beside Airflow's
    :param counted: packages whose lines of code are counted, as folders of site-packages
    """

    name: str
    title: str
    dag: str
    connect: Callable[[Emulator, str | None], dict[str, str]]
    requirements: str | None
    named: tuple[str, ...]
    counted: tuple[str, ...]

    @property
    def bin(self) -> Path:
        """The commands of its environment."""
        return Path(sys.executable).parent if self.requirements is None else FOLDER / self.name / "venv" / "bin"

    @property
    def file(self) -> Path:
        """Its DAG file."""
        return ROOT / "comparison" / "dags" / f"{self.dag}.py"

    def install(self) -> None:
        """Make its environment, unless it is there as the requirements want it."""
        if self.requirements is None:
            return
        wanted = ROOT / "requirements" / self.requirements
        mark = self.bin.parent / ".installed"
        state = hashlib.sha256(wanted.read_bytes()).hexdigest()
        if mark.exists() and mark.read_text() == state:
            return
        uv = Path(sys.executable).parent / "uv"
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, self.bin.parent], check=True)
        install: list[str | Path] = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            self.bin / "python",
        ]
        subprocess.run([*install, "-r", wanted], check=True)
        mark.write_text(state)

    def versions(self) -> dict[str, str]:
        """Return the versions that count."""
        code = (
            "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version"
            " for d in m.distributions()}))"
        )
        done = subprocess.run([self.bin / "python", "-c", code], check=True, capture_output=True, text=True)
        every: dict[str, str] = json.loads(done.stdout)
        return {name: every[name] for name in ("apache-airflow", *self.named)}


def _ours(emulator: Emulator, secret: str | None) -> dict[str, str]:
    connection = json.loads(emulator.airflow_conn)
    return {"AIRFLOW_CONN_DLI_DEFAULT": json.dumps({**connection, **({"password": secret} if secret else {})})}


def _key(emulator: Emulator, secret: str | None, kind: str, **extra: str) -> str:
    """Write a connection with the access key."""
    extras = {"region": emulator.region, "project_id": emulator.project_id, **extra}
    login = {"conn_type": kind, "login": emulator.access_key, "password": secret or emulator.secret_key}
    return json.dumps({**login, "extra": extras})


def _huawei(emulator: Emulator, secret: str | None) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_HUAWEICLOUD_DEFAULT": _key(emulator, secret, "huaweicloud"),
        "AIRFLOW_VAR_DLI_ENDPOINT": emulator.dli,
        "COMPARISON_OBS_SERVER": emulator.obs,
    }


def _sdk(emulator: Emulator, secret: str | None) -> dict[str, str]:
    region = emulator.region.replace("-", "_").upper()
    return {
        "AIRFLOW_CONN_HUAWEI": _key(emulator, secret, "generic", obs_endpoint=emulator.obs),
        f"HUAWEICLOUD_SDK_REGION_DLI_{region}": emulator.dli,
    }


def _http(emulator: Emulator, secret: str | None) -> dict[str, str]:
    identity = emulator.state.identity
    user = {"conn_type": "http", "host": emulator.iam, "login": identity.user}
    return {
        "AIRFLOW_CONN_HUAWEI_IAM": json.dumps({**user, "password": secret or identity.password}),
        "AIRFLOW_CONN_HUAWEI_DLI": json.dumps({"conn_type": "http", "host": emulator.dli}),
        "AIRFLOW_CONN_HUAWEI_OBS": _key(emulator, None, "generic", obs_endpoint=emulator.obs),
        "AIRFLOW_VAR_HUAWEI_DOMAIN": identity.domain,
        "AIRFLOW_VAR_HUAWEI_PROJECT_ID": emulator.project_id,
    }


_PROVIDER = ("apache-airflow-providers-huawei", "huaweicloudsdkdli", "esdk-obs-python")
_BELOW = ("airflow/providers/huawei", "obs", "huaweicloudsdkcore")
_HTTP = "apache-airflow-providers-http"
WAYS = {
    way.name: way
    for way in (
        Way(
            "ours",
            "this provider",
            "ours",
            _ours,
            None,
            ("airflow-provider-dli", "boto3"),
            ("airflow_provider_dli",),
        ),
        Way("huawei-3", "Huawei's provider", "huawei", _huawei, "compare-huawei-3.txt", _PROVIDER, _BELOW),
        Way("huawei-2", "the same on Airflow 2", "huawei", _huawei, "compare-huawei-2.txt", _PROVIDER, _BELOW),
        Way(
            "sdk",
            "Huawei's SDK",
            "sdk",
            _sdk,
            "compare-sdk.txt",
            ("huaweicloudsdkdli", "boto3"),
            ("huaweicloudsdkdli", "huaweicloudsdkcore"),
        ),
        Way("http", "raw HTTP", "http", _http, "compare-http.txt", (_HTTP, "boto3"), ("airflow/providers/http",)),
    )
}
