"""``make audit``: known weaknesses, in our code by bandit and in what comes with it by pip-audit.

pip-audit queries a service on the network. Where that cannot be reached the result is *not known*.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def main() -> int:
    """Run both; 1 if one of them found something."""
    return max(code(), dependencies())


def code() -> int:
    """Have bandit read both packages; 1 if it found something."""
    folders = ("airflow_provider_dli", "dli_emulator/src")
    done = call(BIN / "bandit", "--quiet", "--recursive", "--configfile", ROOT / "pyproject.toml", *folders)
    print(done.stdout.strip() or f"bandit: nothing found in {' and '.join(folders)}")
    return int(done.returncode != 0)


def dependencies() -> int:
    """Have pip-audit look up the pinned versions; 1 if it knows of a weakness."""
    flags = ("--requirement", "constraints.txt", "--no-deps", "--disable-pip", "--progress-spinner", "off")
    done = call(BIN / "pip-audit", *flags, "--format", "json")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    looked_up = [each for each in packages if "skip_reason" not in each]
    if not looked_up:
        print(f"pip-audit: NOT KNOWN, none of {len(packages)} packages could be looked up: service not reached")
        return 0
    weak = {each["name"]: [one["id"] for one in each["vulns"]] for each in looked_up if each["vulns"]}
    print(f"pip-audit: {len(looked_up)} of {len(packages)} packages looked up; weak: {weak or 'none'}")
    return int(bool(weak))


def call(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder.

    :param command: its parts
    """
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
