"""What the estate needs of this machine beside Python packages: PostgreSQL, and Redis or Valkey."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

#: where Debian has the programs of each version of PostgreSQL
_POSTGRES = Path("/usr/lib/postgresql")
#: accounts of which one runs PostgreSQL where this process is root's, which PostgreSQL refuses
_ACCOUNTS = ("postgres", "nobody")


class MissingError(Exception):
    """Something is not installed."""


@dataclass(frozen=True)
class Programs:
    """The programs that were found.

    :param initdb: makes a cluster of databases
    :param postgres: its server
    :param redis: server of Redis or Valkey
    """

    initdb: Path
    postgres: Path
    redis: Path


def find_programs(path: str | None = None, versions: Path = _POSTGRES) -> Programs:
    """Find the programs; the newest PostgreSQL of several.

    :param path: in place of ``PATH``
    :param versions: folder with a folder for each version of PostgreSQL
    :raises MissingError: naming all that is missing, each with the package that has it
    """
    places = sorted(versions.glob("*/bin"), key=_version, reverse=True)
    searched = os.pathsep.join([*map(str, places), os.environ.get("PATH", "") if path is None else path])
    found = {name: shutil.which(name, path=searched) for name in ("initdb", "postgres")}
    found["redis"] = shutil.which("redis-server", path=searched) or shutil.which("valkey-server", path=searched)
    missing = []
    if not (found["initdb"] and found["postgres"]):
        missing.append("PostgreSQL (initdb, postgres): package postgresql")
    if not found["redis"]:
        missing.append("Redis or Valkey (redis-server, valkey-server): package redis-server or valkey-server")
    if missing:
        raise MissingError(
            "make estate needs what is not installed:\n  " + "\n  ".join(missing) + "\n"
            "The packages are Debian's: apt-get install …; elsewhere put the programs into PATH."
        )
    return Programs(**{name: Path(str(program)) for name, program in found.items()})


def _version(folder: Path) -> int:
    number = re.match(r"\d+", folder.parent.name)
    return int(number[0]) if number else 0


def unprivileged(passwd: Path = Path("/etc/passwd")) -> str:
    """Return the account that runs PostgreSQL in the place of root.

    :raises MissingError: if there is none
    """
    known = {line.partition(":")[0] for line in passwd.read_text(encoding="utf-8").splitlines()}
    for name in _ACCOUNTS:
        if name in known:
            return name
    raise MissingError(f"PostgreSQL does not run as root, and there is no account {' or '.join(_ACCOUNTS)}")
