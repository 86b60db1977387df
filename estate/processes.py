"""Servers as processes: each can be killed, frozen and started again, and all end with this one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

#: of the servers that were started
_sessions: set[int] = set()
#: in the environment of every process of an estate, so that none is missed in the end
MARK = "DLI_ESTATE"
_STOP_SECONDS = 10


def mark() -> None:
    """Mark the environment of this process, and so of all that it starts from now on."""
    os.environ[MARK] = token_hex(8)


def still_running() -> list[psutil.Process]:
    """Return the processes of this estate, but for this one: by their mark, or by their session.

    Some overwrite their environment with a title.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            is_ours = os.getsid(process.pid) in _sessions or process.environ().get(MARK) == os.environ.get(MARK)
            if is_ours and process.pid != os.getpid() and is_alive(process):
                found.append(process)
    return found


class Server:
    """One server.

    :param name: of it and its log
    :param command: program and arguments
    :param environment: variables beside those of this process
    :param folder: for the log
    :param end: the signal at which it ends in order
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] = os.environ,
        end: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(map(str, command))
        self.environment = environment
        self.log = folder / f"{name}.log"
        self._end = end
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C is for the estate, which ends its servers in order."""
        mark_of_all = {MARK: os.environ.get(MARK, "")}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env={**self.environment, **mark_of_all},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _sessions.add(self._process.pid)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def family(self) -> list[psutil.Process]:
        """Return its process and every process below it; empty if it does not run."""
        if self._process is None or self._process.poll() is not None:
            return []
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def kill(self) -> None:
        """End it and all below it at once, as a machine that is lost does."""
        kill(self.family())
        self.wait()

    def end(self) -> list[psutil.Process]:
        """Have it end in order; return its process and every process below it."""
        family = self.family()
        thaw(family)
        if self._process and family:
            self._process.send_signal(self._end)
        return family

    def wait(self, seconds: float | None = None) -> None:
        """Wait until its process has ended, but no longer than so many seconds."""
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)


def stop(servers: Iterable[Server]) -> None:
    """End servers in order, and at once what has not ended after a while."""
    families = {server: server.end() for server in servers}
    deadline = time.monotonic() + _STOP_SECONDS
    for server, family in families.items():
        server.wait(max(0.0, deadline - time.monotonic()))
        kill(family)
        server.wait()


def kill(processes: Iterable[psutil.Process]) -> None:
    """End processes at once; return when they have ended."""
    killed = list(processes)
    for process in killed:
        with suppress(psutil.Error):
            process.kill()
    until(lambda: not any(map(is_alive, killed)), _STOP_SECONDS, "processes that were killed end", 0.05)


def freeze(processes: Iterable[psutil.Process]) -> None:
    """Stop processes where they are: they take connections and requests, and do nothing."""
    for process in processes:
        process.suspend()


def thaw(processes: Iterable[psutil.Process]) -> None:
    """Let frozen processes go on."""
    for process in processes:
        with suppress(psutil.Error):
            process.resume()


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still does anything; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class NotInTimeError(Exception):
    """Something did not happen in time."""


def until(check: Callable[[], T], seconds: float, what: str, pause: float = 0.5) -> T:
    """Repeat a check until it returns something; return that.

    :raises NotInTimeError: naming what did not happen
    """
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            raise NotInTimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)
    return found


class Gate:
    """A port of loopback in front of a server. Closed, it refuses connections, as where no server runs.

    :param port: where it listens
    :param target: port of the server
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self._open: dict[asyncio.StreamWriter, None] = {}
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name=f"gate-{port}", daemon=True).start()
        self.open()

    def open(self) -> None:
        """Take connections."""
        self._run(self._listen())

    def close(self) -> None:
        """Refuse connections, and reset those that there are."""
        self._run(self._refuse())

    def _run(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def _refuse(self) -> None:
        if self._server:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer: None, to_server: None}
        await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
        for each in (writer, to_server):
            self._open.pop(each, None)
            each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
