"""The two drivers of a conversation, the only modules that import an HTTP library.

:mod:`~airflow_provider_dli.client.transport.sync` drives it with requests,
:mod:`~airflow_provider_dli.client.transport.aio` with aiohttp. They send the same bytes: only what
:class:`~airflow_provider_dli.client.call.Request` says, and ``Content-Length``. Two modules, so that a
task does not pay for the import of the other half's library.
"""

from __future__ import annotations

from airflow_provider_dli.client.call import Reply, Request
from airflow_provider_dli.client.replies import unexpected

#: bytes of the longest answer that is read; a page of 100 jobs with all their SQL stays far below
LONGEST_ANSWER = 64 * 1024 * 1024
#: bytes that are read at a time
PIECE = 64 * 1024


def too_long(request: Request, status: int) -> Exception:
    """Make the error for an answer that is not read to its end.

    :param request: what was asked
    :param status: HTTP status of the answer
    """
    reply = Reply(status, {}, b"")
    return unexpected(request.operation, reply, f"the answer is longer than {LONGEST_ANSWER:,} bytes")
