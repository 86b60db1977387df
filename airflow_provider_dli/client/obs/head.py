"""Look an object up as a conversation, for a driver of either kind.

boto3 would take a thread for each look. A thousand triggers on one event loop wait more cheaply through the same
async transport that serves DLI; botocore signs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from airflow_provider_dli.client.call import USER_AGENT, Reply, Request, send
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.asking import no_bucket, refusal
from airflow_provider_dli.client.obs.objects import ObjectFacts, facts_of
from airflow_provider_dli.client.obs.quiet import hush
from airflow_provider_dli.client.obs.responses import check
from airflow_provider_dli.client.obs.settings import addressing_style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_dli.client.account import Account
    from airflow_provider_dli.client.call import Clock, Flow
    from airflow_provider_dli.client.credentials import AccessKey

_OK, _PARTIAL, _NOT_FOUND = 200, 206, 404
_CODE = re.compile(rb"<Code>\s*([^<]{1,100}?)\s*</Code>")
_MESSAGE = re.compile(rb"<Message>\s*([^<]{1,500}?)\s*</Message>")
_UNSIGNED = Config(s3={"payload_signing_enabled": False})


def ask_facts(
    place: ObsLocation, account: Account, clock: Clock, *, bucket_known: bool = False
) -> Flow[ObjectFacts | None]:
    """Look an object up; None if the bucket has no such object yet.

    :param place: bucket and key
    :param account: which OBS, and as whom
    :param clock: tells the time, for credentials that end
    :param bucket_known: True where an earlier look has shown that the bucket is there
    :raises DliClientError: if the bucket is missing, may not be read, or OBS does not answer
    """
    key = yield from account.credentials.keys(clock)
    reply = yield from send(_request("HeadObject", "HEAD", place, account, key))
    account.obs_clock.observe(reply)
    check("HeadObject", reply)
    if reply.status == _OK:
        return facts_of(reply)
    if reply.status != _NOT_FOUND:
        # The answer to HEAD has no body that could say why; one to a GET of a byte has.
        told = yield from send(_request("GetObject", "GET", place, account, key, {"Range": "bytes=0-0"}))
        raise _refusal("HeadObject", place, told if told.status not in (_OK, _PARTIAL) else reply)
    if not bucket_known:
        yield from _ask_bucket(ObsLocation(place.bucket), account, key)
    return None


def _ask_bucket(bucket: ObsLocation, account: Account, key: AccessKey) -> Flow[None]:
    reply = yield from send(_request("HeadBucket", "HEAD", bucket, account, key))
    check("HeadBucket", reply)
    if reply.status == _NOT_FOUND:
        raise no_bucket(bucket.bucket)
    # Nothing else shows that it is there: one that is refused, or in trouble, may never have the object.
    if reply.status != _OK:
        raise _refusal("HeadBucket", bucket, reply)


def _request(
    operation: str,
    method: str,
    place: ObsLocation,
    account: Account,
    key: AccessKey,
    headers: Mapping[str, str] | None = None,
) -> Request:
    hush()
    url = _url(account.obs_endpoint, place)
    given = {"Host": urlsplit(url).netloc, "User-Agent": USER_AGENT, **(headers or {})}
    signed = AWSRequest(method=method, url=url, headers=given)
    signed.context["client_config"] = _UNSIGNED
    S3SigV4Auth(Credentials(key.access_key, key.secret_key, key.security_token), "s3", account.region).add_auth(
        signed
    )
    proven = tuple((name, str(value)) for name, value in signed.headers.items())
    signature = signed.headers["Authorization"].rpartition("=")[2]
    secrets = (signature, *([key.security_token] if key.security_token else []))
    return Request(method, url, proven, operation=operation, secrets=secrets, logins=(key.access_key,))


def _url(endpoint: str, place: ObsLocation) -> str:
    path = quote(place.key)
    if addressing_style(endpoint) == "path":
        return f"{endpoint}/{place.bucket}/{path}" if path else f"{endpoint}/{place.bucket}"
    scheme, _, host = endpoint.partition("://")
    return f"{scheme}://{place.bucket}.{host}/{path}"


def _refusal(operation: str, place: ObsLocation, reply: Reply) -> Exception:
    code, message = _CODE.search(reply.body), _MESSAGE.search(reply.body)
    return refusal(
        operation,
        place,
        reply.status,
        code[1].decode("utf-8", "replace") if code else str(reply.status),
        message[1].decode("utf-8", "replace") if message else "no message",
        reply.headers.get("x-amz-request-id"),
    )
