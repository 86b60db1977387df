"""The metadata service of an ECS, which hands out the keys of the agency that the ECS runs under.

Follows the ECS user guide, *Obtaining Metadata*: version 2 requires a session token first; version 1, which
older images have, does not. No proxy may come between: it would fetch its own machine's metadata.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_dli.client import replies
from airflow_provider_dli.client.call import Flow, Reply, plain_request, send
from airflow_provider_dli.client.credentials import AccessKey, Expiring, TemporaryKeys
from airflow_provider_dli.client.credentials.iam import read_keys

ENDPOINT = "http://169.254.169.254"
_TOKEN = "/meta-data/latest/api/token"  # noqa: S105 -- a path
_KEYS = "/openstack/latest/securitykey"
_TOKEN_SECONDS = 21600
# The response of a metadata service without version 2 to the request for a session token.
_NO_VERSION_2 = (404, 405)
_OK = 200


def metadata_keys(endpoint: str = ENDPOINT) -> TemporaryKeys:
    """Use the agency of the ECS that this runs on."""
    return TemporaryKeys("the agency of this ECS", lambda _clock: security_key(endpoint))


def security_key(endpoint: str) -> Flow[Expiring[AccessKey]]:
    """Fetch the temporary keys of the agency of this ECS.

    :raises ServiceError: if there are none
    """
    token = yield from _session_token(endpoint)
    headers = [("X-Metadata-Token", token)] if token else []
    request = plain_request("GetSecurityKey", "GET", endpoint + _KEYS, headers, direct=True)
    reply = yield from send(replace(request, secrets=(token,) if token else ()))
    return read_keys("GetSecurityKey", reply)


def _session_token(endpoint: str) -> Flow[str | None]:
    headers = [("X-Metadata-Token-Ttl-Seconds", str(_TOKEN_SECONDS))]
    request = plain_request("GetMetadataToken", "PUT", endpoint + _TOKEN, headers, direct=True)
    reply: Reply = yield from send(request)
    if reply.status in _NO_VERSION_2:
        return None
    if reply.status != _OK:
        replies.json_object("GetMetadataToken", reply)
    text = reply.body.decode("ascii", "replace").strip()
    if reply.status != _OK or not (text and text.isascii() and text.isprintable()):
        raise replies.unexpected("GetMetadataToken", reply, "the reply is not a session token")
    return text
