"""A child process in a directory of its own; neither outlives the emulator."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from socket import AF_INET, SOCK_STREAM, socket

from dli_emulator import guard

#: below the ports that systems give to outgoing connections, so that none of those gets in between
_PORTS = range(15_000, 32_000)


class Child:
    """A command that runs under the guard.

    :param name: for the directory and messages
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.directory = Path(tempfile.mkdtemp(prefix=f"dli-emulator-{name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._remove: Sequence[Path] = ()

    def start(self, command: Sequence[str], environment: Mapping[str, str], remove: Sequence[Path] = ()) -> None:
        """Start it.

        :param command: program and arguments
        :param environment: variables beside those of this process
        :param remove: files that it leaves outside its directory
        """
        self._remove = remove
        removals = [part for file in remove for part in ("--remove", str(file))]
        self._process = subprocess.Popen(  # noqa: S603 - our own guard
            [sys.executable, "-I", guard.__file__, str(self.directory), *removals, "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C is for the emulator, which then ends the child in its own order
        )

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def last_line(self) -> str:
        """Return the last line that it wrote."""
        log = self.directory / "log"
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")

    def stop(self) -> None:
        """End it, and remove all that it left. Does nothing if that has been done."""
        if self._process is not None:
            self._process.communicate()  # closes the standard input, at which the guard ends
            self._process = None
        for file in self._remove:
            file.unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return ports that nothing listens on. Another process may take one before it is used: be ready to try again.

    :param count: how many
    :param host: address they are to be free on
    """
    candidates = SystemRandom().sample(_PORTS, len(_PORTS))
    free = (port for port in candidates if _is_free(host, port))
    return [next(free) for _ in range(count)]


def _is_free(host: str, port: int) -> bool:
    with socket(AF_INET, SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
