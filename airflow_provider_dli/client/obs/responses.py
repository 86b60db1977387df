"""Whether a response is one of OBS to what was requested; for boto3's path and for our own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_provider_dli.client.call import Reply
from airflow_provider_dli.client.replies import excerpt, moment, unexpected

_OK = range(200, 300)
_REDIRECTS = range(300, 400)
_NOT_FOUND = 404
_NO_CONTENT = 204
#: operation -> the root element of a success (OBS's and S3's API references)
_ROOTS: Mapping[str, str] = {
    "ListObjects": "ListBucketResult",
    "CopyObject": "CopyObjectResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
}
#: operation -> the headers that no success is without
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "HeadObject": ("etag", "last-modified", "content-length"),
    "GetObject": ("etag",),
    "PutObject": ("etag",),
    "UploadPart": ("etag",),
}
#: whose success is 204
_WITHOUT_CONTENT = ("DeleteObject", "AbortMultipartUpload")
_TRUNCATED = re.compile(rb"IsTruncated>(?:true|false)</")
# Before it: white space, with which OBS keeps a connection open while it copies, the declaration, comments.
_ROOT = re.compile(rb"(?s)(?:\xef\xbb\xbf)?\s*(?:<\?xml.*?\?>\s*)?(?:<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)")


def check(operation: str, reply: Reply) -> None:
    """Check that a response is one of OBS to this operation: a login page answers everything with 200.

    :param operation: what was requested
    :param reply: what came back
    :raises UnexpectedReplyError: if it is none
    """
    if reply.status in _REDIRECTS:
        target = reply.headers.get("location", "nowhere")
        raise unexpected(operation, reply, f"redirected to {target!r}, which is not followed")
    # What exists is shown by headers of OBS; that something does not exist, or a bucket does, by the status alone.
    # Some stores call the nothing that follows HEAD a page, too; headers of their own show that they are stores.
    is_store = any(name.startswith(("x-amz", "x-obs")) for name in reply.headers)
    is_page = "html" in reply.headers.get("content-type", "").lower() and not is_store
    if is_page and (reply.status == _NOT_FOUND or operation == "HeadBucket"):
        raise unexpected(operation, reply, f"a page of HTML, which is no response of OBS: {excerpt(reply.body)}")
    if reply.status not in _OK:
        return
    if operation in _WITHOUT_CONTENT and reply.status != _NO_CONTENT:
        raise unexpected(operation, reply, f"204 was expected, not: {excerpt(reply.body) or 'an empty body'}")
    if missing := [name for name in _HEADERS.get(operation, ()) if not reply.headers.get(name)]:
        raise unexpected(operation, reply, f"the response of OBS lacks the header {', '.join(missing)}")
    if operation == "GetObject":
        _check_readable(operation, reply)
    _check_root(operation, reply)


def _check_readable(operation: str, reply: Reply) -> None:
    """Refuse headers over which botocore stumbles, with a body behind them that nobody would close."""
    for name, is_good in (("content-length", str.isdecimal), ("last-modified", moment)):
        value = reply.headers.get(name)
        if value is not None and not is_good(value):
            raise unexpected(operation, reply, f"the header {name} of the response cannot be read: {value!r}")


def _check_root(operation: str, reply: Reply) -> None:
    expected = _ROOTS.get(operation)
    if expected is None:
        return
    found = _ROOT.match(reply.body)
    root = found[1].decode("ascii", "replace") if found else None
    # A copy may fail after its 200 (obs_04_0082); botocore reads the error.
    if root not in (expected, "Error"):
        what = excerpt(reply.body) or "an empty body"
        raise unexpected(operation, reply, f"XML <{expected}> was expected, not: {what}")
    # botocore takes whatever is not "true" for false, and so for the end of the listing.
    if root == "ListBucketResult" and len(_TRUNCATED.findall(reply.body)) != 1:
        raise unexpected(operation, reply, "the listing does not say in IsTruncated whether it is complete")
