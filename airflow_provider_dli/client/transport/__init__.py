"""The two drivers of a conversation, the only modules that import an HTTP library.

:mod:`~airflow_provider_dli.client.transport.sync` drives it with requests,
:mod:`~airflow_provider_dli.client.transport.aio` with aiohttp. They send the same bytes: only what
:class:`~airflow_provider_dli.client.call.Request` says, and ``Content-Length``. Two modules, so that a
task does not pay for the import of the other half's library.
"""

#: seconds until the service accepts a connection
CONNECT_TIMEOUT = 10.0
#: seconds without a byte of the answer
READ_TIMEOUT = 120.0
