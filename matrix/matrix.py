"""``make matrix``: the wheels on every Airflow and Python that it is for; writes ``docs/quality/matrix.md``.

``python matrix/matrix.py [--scope NAME] [AIRFLOW[-PYTHON] …]`` runs some cells; the page keeps what is known of
others. ``--scope`` has them run more or less: ``install``, ``examples``, ``near`` or ``whole``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cell import NOT_OFFERED, ROOT, SCOPES, Cell, snapshot

#: the first and the last of what is supported, and the last of every minor version; with the day after it came out
AIRFLOWS = {
    "2.11.0": "2025-05-21",
    "2.11.2": "2026-03-15",
    "3.0.6": "2025-08-30",
    "3.1.0": "2025-09-26",
    "3.1.8": "2026-03-12",
    "3.2.2": "2026-05-30",
    "3.3.2": "2026-09-18",
}
#: run whole: the last of Airflow 2 and the newest, each with one Python
WHOLE = {"2.11.2": "3.12", "3.3.2": "3.11"}
#: each with what installs
PYTHONS = {"3.11": "uv", "3.12": "pip", "3.13": "uv"}
FOLDER = ROOT / ".cache" / "matrix"
KNOWN = ROOT / "matrix" / "results.json"
PAGE = ROOT / "docs" / "quality" / "matrix.md"
PREFACE = """# Versions of Airflow and Python

`make matrix` installs Airflow with the constraints of its day: the newest versions of the day after it came out
that fit together, and with the providers of Airflow's own constraints. Then it installs the wheel with the same
constraints, and the emulator and the extra `openlineage`.

| column | |
|---|---|
| changes | what of Airflow's has another version afterwards, or is gone |
| adds | what the wheel brings that Airflow did not |
| providers CLI | `airflow providers get` lists the provider, without a warning that names it |
| tests | *near*: of transports, OBS, connection, parameters, hooks and operators; \
*whole*: also of client, services, sensors, archives, and faults |
| example DAGs | against the emulator: all if *whole*, otherwise the nightly export |
| wheel | how its SHA-256 begins |

*lowest* has the lowest version of everything that the package needs. A warning of ours would have failed a test;
those of others are named. A dash is what a cell has not run; a cell without a row has not run with this wheel.
"""
COLUMNS = ("install", "changes", "adds", "providers CLI", "tests", "example DAGs")


def cells(wanted: list[str]) -> list[Cell]:
    """Return the cells that are wanted; all of them, if none is named."""
    every = [
        Cell(airflow, day, python, installer, scope="whole" if WHOLE.get(airflow) == python else "near")
        for airflow, day in AIRFLOWS.items()
        for python, installer in PYTHONS.items()
        # Airflow 2 is for Python up to 3.12, though its packages can be installed with a later one.
        if (airflow.partition(".")[0], python) != ("2", "3.13")
    ]
    oldest, day = next(iter(AIRFLOWS.items()))
    every.append(Cell(oldest, day, next(iter(PYTHONS)), lowest=True))
    return [each for each in every if not wanted or any(each.name.startswith(name) for name in wanted)]


def build() -> tuple[Path, Path]:
    """Build the wheels of the provider and of the emulator."""
    folder = FOLDER / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    for source in (ROOT, ROOT / "dli_emulator"):
        subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source],
            check=True,
            capture_output=True,
        )
    (provider,), (emulator,) = folder.glob("airflow_provider_dli-*.whl"), folder.glob("dli_emulator-*.whl")
    return provider, emulator


def page(results: dict[str, Any]) -> str:
    """Write the page.

    :param results: of the cells, by name
    """
    rows = [
        f"| {each['airflow']}{', lowest' if each['lowest'] else ''} | {each['installer']} | {_with(each)} | "
        + " | ".join(_result(each, column).replace("|", "/") for column in COLUMNS)
        + f" | `{each['wheel'][:12]}` | {each['when']} |"
        for each in results.values()
    ]
    head = "<!-- matrix: begin -->\n"
    head += f"| Airflow | with | Python and what the package needs | {' | '.join(COLUMNS)} | wheel | when |"
    return "\n".join([PREFACE, head, "|---" * (len(COLUMNS) + 5) + "|", *rows, "<!-- matrix: end -->", ""])


def _result(found: dict[str, Any], column: str) -> str:
    """Return what a column shows."""
    result = str(found["results"].get(column, "-"))
    return f"{found['scope']}: {result}" if column == "tests" and result != "-" else result


def _with(found: dict[str, Any]) -> str:
    """Name the versions that were installed."""
    versions: dict[str, str] = found.get("versions") or {"python": found["python"]}
    return ", ".join(f"{name.removeprefix('apache-airflow-')} {version}" for name, version in versions.items())


def exports(wheels: tuple[Path, Path], folder: Path) -> bool:
    """Install wheels into the Airflows that are run whole, and export and verify there; return whether all did.

    :param wheels: of the provider and of the emulator
    :param folder: for the environments
    """
    source, python = snapshot(folder / "source"), ".".join(map(str, sys.version_info[:2]))
    succeeded = True
    for airflow in WHOLE:
        results = Cell(airflow, AIRFLOWS[airflow], python, scope="examples").run(wheels, source, folder)["results"]
        print(f"Airflow {airflow}: {results}", flush=True)
        succeeded &= all(good(column, result) for column, result in results.items())
    return succeeded


def main() -> int:
    """Run the cells; 1 if any has a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scope", choices=SCOPES)
    parser.add_argument("cells", nargs="*")
    options = parser.parse_args()
    wheels, source = build(), snapshot(FOLDER / "source")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    results: dict[str, Any] = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    bad = False
    for each in cells(options.cells):
        each.scope = options.scope or each.scope
        print(f"{each.name} …", flush=True)
        found = {**each.run(wheels, source, FOLDER), "when": f"{datetime.now(UTC):%Y-%m-%d}", "wheel": digest}
        print(f"  {found['results']} in {found['seconds']} s", flush=True)
        found["succeeded"] = all(good(column, result) for column, result in found["results"].items())
        results[each.name] = found
        bad |= not found["succeeded"]
        KNOWN.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
        PAGE.write_text(page(dict(sorted(results.items()))), encoding="utf-8")
    return int(bad)


def good(column: str, result: str) -> bool:
    """Return whether a column has no failure."""
    if column in {"changes", "adds"}:
        return column == "adds" or result in {"nothing", "-"}
    counts = result.partition(" (")[0]
    return counts in {"ok", NOT_OFFERED} or (
        "passed" in counts and "failed" not in counts and "error" not in counts
    )


if __name__ == "__main__":
    sys.exit(main())
