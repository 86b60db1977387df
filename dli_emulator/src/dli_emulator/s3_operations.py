"""What a request to the S3 interface is for: its operation, as S3 names it, and the action of OBS."""

from __future__ import annotations

from dataclasses import dataclass

#: operations below ``?name`` of a bucket: for ``GET`` and ``PUT`` the action that OBS needs
_OF_BUCKET = {
    "lifecycle": ("GetLifecycleConfiguration", "PutLifecycleConfiguration"),
    "versioning": ("GetBucketVersioning", "PutBucketVersioning"),
    "versions": ("ListBucketVersions", "ListBucketVersions"),
    "location": ("GetBucketLocation", "GetBucketLocation"),
    "uploads": ("ListBucketMultipartUploads", "ListBucketMultipartUploads"),
    "encryption": ("GetEncryptionConfiguration", "PutEncryptionConfiguration"),
    "policy": ("GetBucketPolicy", "PutBucketPolicy"),
    "tagging": ("GetBucketTagging", "PutBucketTagging"),
}
_BUCKET = {"GET": "ListBucket", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
_OBJECT = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "POST": "PutObject",
    "DELETE": "DeleteObject",
}
_NAMES = {"GET": ("ListObjects", "GetObject"), "HEAD": ("HeadBucket", "HeadObject")}


@dataclass(frozen=True)
class S3Operation:
    """What a request is for.

    :param name: such as ``GetObject``, as faults have it; ``other`` for all that faults do not know
    :param action: of OBS, such as ``obs:object:GetObject``
    :param resource: such as ``obs:object:bucket/key``
    :param needs_md5: whether OBS refuses it without ``Content-MD5``
    """

    name: str
    action: str
    resource: str
    needs_md5: bool


def operation_of(method: str, path: str, names: set[str]) -> S3Operation:
    """Return what a request is for.

    :param method: in upper case
    :param path: decoded; its first part is the bucket
    :param names: of the parameters of the query
    """
    bucket, _, key = path.strip("/").partition("/")
    name = _NAMES.get(method, ("other", "other"))[bool(key)]
    if not bucket:
        return S3Operation(name, "obs:bucket:ListAllMyBuckets", "obs:bucket:*", needs_md5=False)
    if key:
        suffix = "Version" if "versionId" in names and method != "PUT" else ""
        action = f"obs:object:{_OBJECT.get(method, 'other')}{suffix}"
        return S3Operation(name, action, f"obs:object:{bucket}/{key}", needs_md5=False)
    if method == "POST" and "delete" in names:
        return S3Operation(name, "obs:object:DeleteObject", f"obs:object:{bucket}/*", needs_md5=True)
    below = next((each for each in _OF_BUCKET if each in names), None)
    action = _OF_BUCKET[below][method not in ("GET", "HEAD")] if below else _BUCKET.get(method, "other")
    needs_md5 = method == "PUT" and below == "lifecycle"
    return S3Operation(name, f"obs:bucket:{action}", f"obs:bucket:{bucket}", needs_md5)
