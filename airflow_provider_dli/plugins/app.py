"""The page of backups behind Airflow's login: a FastAPI app that reads and never writes.

Airflow protects no app of a plugin, so each endpoint does it. A user sees a catalogue who may read the connection
that it is read with: nobody reads with a connection here that they may not read themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Annotated
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, ConnectionDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from airflow.models.connection import Connection
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.responses import HTMLResponse

from airflow_provider_dli.backups.catalogue import Catalogue
from airflow_provider_dli.backups.page import backup_page, catalogue_page, message_page
from airflow_provider_dli.backups.state import Backup
from airflow_provider_dli.backups.summary import Summary, summarize
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.compat import conf
from airflow_provider_dli.exceptions import DliException
from airflow_provider_dli.formatting import excerpt, safe_logger
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters import DEFAULT_CONN_ID
from airflow_provider_dli.plugins.backups import OPTION, SECTION
from airflow_provider_dli.services.pages import SCRIPT, policy

log = safe_logger(__name__)

#: seconds: how long what was read is shown, also that it cannot be read: each failure with access keys counts
_FRESH, _FAILED = 30.0, 60.0
#: seconds: how long what was read is shown while it is read again
_STALE = 600.0
#: seconds that a request waits for what is being read; each of them holds a thread of Airflow
_WAIT = 1.0
#: seconds after which a browser requests a page again that had to wait longer
_RELOAD = 2
_TITLE = "Backups of Flink jobs"
_HEADERS = {
    "Content-Security-Policy": f"{policy(SCRIPT)}; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A catalogue that is configured, and the connection that it is read with."""

    conn_id: str
    root: ObsLocation

    @property
    def name(self) -> str:
        """As it may be written in the configuration."""
        return f"{self.conn_id}={self.root}"


def create_app() -> FastAPI:
    """Return the app."""
    app = FastAPI(title=_TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.get("/", dependencies=[Depends(requires_access_view(AccessView.WEBSITE))])(show)
    return app


def sources() -> list[Source]:
    """Return the catalogues that are configured.

    :raises ConfigurationError: if one of them is not a valid place
    """
    name = f"[{SECTION}] {OPTION}"
    found = []
    for each in filter(None, map(str.strip, conf.get(SECTION, OPTION, fallback="").split(","))):
        conn_id, equals, directory = each.rpartition("=")
        if equals and not conn_id.strip():
            raise ConfigurationError(
                name, f"{excerpt(each)} has no connection", "give connection=bucket/directory"
            )
        found.append(Source(conn_id.strip() or DEFAULT_CONN_ID, parse_directory(name, directory)))
    return found


def readable(user: GetUserDep) -> dict[str, Source]:
    """Return the catalogues that a user may see, by name.

    :raises HTTPException: if there is none
    """
    try:
        found = {source.name: source for source in sources() if _may_read(user, source.conn_id)}
    except ConfigurationError as error:
        log.error("%s", error)  # noqa: TRY400 -- what is wrong is in the message
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, str(error)) from None
    if not found:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Forbidden")
    return found


def _may_read(user: GetUserDep, conn_id: str) -> bool:
    details = ConnectionDetails(conn_id=conn_id)
    # An Airflow of several teams knows to which a connection belongs.
    if team_of := getattr(Connection, "get_team_name", None):
        details.team_name = team_of(conn_id)
    return get_auth_manager().is_authorized_connection(method="GET", details=details, user=user)


# No coroutine: FastAPI runs it in a thread, since it waits for OBS.
def show(
    allowed: Annotated[Mapping[str, Source], Depends(readable)],
    catalogue: str = "",
    project: str = "",
    backup: str = "",
) -> HTMLResponse:
    """Show a catalogue, the first by default, or one backup of it."""
    if catalogue and catalogue not in allowed:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Forbidden")
    source = allowed[catalogue or next(iter(allowed))]
    reader, above = _reader(source), f"?{urlencode({'catalogue': source.name})}"
    others = {name: f"?{urlencode({'catalogue': name})}" for name in allowed}
    try:
        summary = reader.summary(_WAIT)
        if summary is None:
            return _reading(source, others)
        if backup:
            return _response(*_show_backup(reader.catalogue, summary, (project, backup), above))
        return _response(reader.page(summary, others, lambda each: f"{above}&{_query(each)}"))
    except DliException as error:
        page = message_page(_TITLE, str(error), above if backup else None, others)
        return _response(page, status.HTTP_502_BAD_GATEWAY)


def _show_backup(catalogue: Catalogue, summary: Summary, wanted: tuple[str, str], above: str) -> tuple[str, int]:
    # Only what the listing has is read, whatever the address names.
    listed = (backup for project in summary.projects for backup in project.backups)
    for backup in listed:
        if (backup.project_id, backup.backup_id) == wanted:
            return backup_page(catalogue, backup, above), status.HTTP_200_OK
    message = "There is no such backup in this catalogue, or an expiry has deleted it."
    return message_page(_TITLE, message, above), status.HTTP_404_NOT_FOUND


def _reading(source: Source, others: Mapping[str, str]) -> HTMLResponse:
    """Return a page that a browser replaces by itself."""
    message = f"{source.root.url} is being read. This page loads again by itself."
    page = message_page(_TITLE, message, others=others, is_failure=False)
    reload = {"Refresh": str(_RELOAD), "Retry-After": str(_RELOAD)}
    return HTMLResponse(page, status.HTTP_503_SERVICE_UNAVAILABLE, _HEADERS | reload)


def _query(backup: Backup) -> str:
    return urlencode({"project": backup.project_id, "backup": backup.backup_id})


def _response(page: str, code: int = status.HTTP_200_OK) -> HTMLResponse:
    return HTMLResponse(page, code, _HEADERS)


@dataclass(slots=True)
class Reader:
    """A catalogue that is read at most every half minute, in a thread of its own, for all users.

    :param clock: monotonic seconds
    """

    source: Source
    clock: Callable[[], float] = time.monotonic
    catalogue: Catalogue = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    #: what was read, or why it could not be
    _read: Summary | str = ""
    #: when that was, and when it is too old to be shown at all
    _fresh_until: float = -inf
    _shown_until: float = -inf
    #: set while nobody reads
    _done: threading.Event = field(default_factory=threading.Event)
    #: by what was read when, and the catalogues that the page leads to
    _pages: dict[tuple[object, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(ObsHook(self.source.conn_id), self.source.root)
        self._done.set()

    def summary(self, wait: float) -> Summary | None:
        """Return what the catalogue has: as it was a moment ago, or some minutes ago if it takes long to read.

        :param wait: seconds
        :return: None if it is being read and there is nothing to show
        :raises DliException: if it cannot be read, or could not a moment ago
        """
        with self._lock:
            if self.clock() >= self._fresh_until and self._done.is_set():
                self._done.clear()
                threading.Thread(target=self._read_again, name="dli-backups", daemon=True).start()
        self._done.wait(wait)
        with self._lock:
            if self.clock() >= self._shown_until:
                return None
            if isinstance(self._read, str):
                raise DliException(self._read)
            return self._read

    def _read_again(self) -> None:
        read: Summary | str = "The catalogue cannot be read; see the log of the API server."
        fresh = shown = _FAILED
        try:
            # The connection is read again too: its keys may have changed.
            self.catalogue.obs = ObsHook(self.source.conn_id)
            read, fresh, shown = summarize(self.catalogue), _FRESH, _STALE
        except DliException as error:
            log.warning("%s cannot be read: %s", self.source.root.url, error)
            read = str(error)
        finally:
            with self._lock:
                now = self.clock()
                self._read, self._fresh_until, self._shown_until = read, now + fresh, now + shown
                self._pages.clear()
            self._done.set()

    def page(self, summary: Summary, others: Mapping[str, str], link: Callable[[Backup], str | None]) -> str:
        """Return the page of the catalogue."""
        key = (summary.read_at, *others)
        # Some other request may empty it at any time.
        page = self._pages.get(key) or catalogue_page(summary, link, others=others)
        self._pages[key] = page
        return page


@cache
def _reader(source: Source) -> Reader:
    return Reader(source)
