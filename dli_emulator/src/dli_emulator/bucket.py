"""The bucket that archives go to, over the S3 interface of the object store."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


def s3_client(endpoint: str, access_key: str, secret_key: str, **settings: Any) -> S3Client:  # noqa: ANN401 - botocore's
    """Make a client, configured as the OBS manual requires, but with path-style addresses.

    :param endpoint: base URL of the store
    :param access_key: AK
    :param secret_key: SK
    :param settings: further fields of botocore's ``Config``
    """
    from boto3.session import Session  # noqa: PLC0415 - takes long: the store starts meanwhile
    from botocore.config import Config  # noqa: PLC0415 - likewise

    config = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        **settings,
    }
    session = Session(access_key, secret_key, region_name=SIGNING_REGION)
    return session.client("s3", endpoint_url=endpoint, config=Config(**config))


#: local stores accept any region, but with any other some require each new bucket to name it
SIGNING_REGION = "us-east-1"
#: statuses for a bucket that does not exist, or belongs to somebody else
_NOT_OURS = (403, 404)


class Owned(Enum):
    """How much of a store is the emulator's own, to be emptied at will."""

    STORE = "all of it"
    BUCKET = "the bucket"
    ARCHIVES = "only the archives that it wrote"


class Bucket:
    """The emulator's bucket in a store.

    :param client: of the store
    :param name: of the bucket
    :param owned: what may be removed
    """

    def __init__(self, client: S3Client, name: str, owned: Owned) -> None:
        self.client = client
        self.name = name
        self._owned = owned
        self._written: list[tuple[str, str]] = []

    def prepare(self) -> None:
        """Create the bucket unless it is there, and prove that it can be written to."""
        if not self.has_bucket(self.name):
            self.client.create_bucket(Bucket=self.name)
        self.client.put_object(Bucket=self.name, Key=".emulator", Body=b"")
        self.client.delete_object(Bucket=self.name, Key=".emulator")

    def has_bucket(self, bucket: str) -> bool:
        """Return whether there is such a bucket that we may use.

        :param bucket: its name
        """
        try:
            self.client.head_bucket(Bucket=bucket)
        except self.client.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in _NOT_OURS:
                return False
            raise
        return True

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object.

        :param bucket: where to
        :param key: its name
        :param data: its bytes
        """
        self._written.append((bucket, key))
        self.client.put_object(Bucket=bucket, Key=key, Body=data, ContentType="application/zip")

    def get(self, bucket: str, key: str) -> bytes | None:
        """Read an object; None if there is none.

        :param bucket: where from
        :param key: its name
        """
        try:
            return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """List the keys that begin so, in order.

        :param bucket: where
        :param prefix: how they begin
        """
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", []))

    def clean(self) -> None:
        """Remove what is ours, and leave the bucket there."""
        if self._owned is Owned.ARCHIVES:
            for name, key in self._written:
                self.client.delete_object(Bucket=name, Key=key)
            there = self.has_bucket(self.name)
        elif self._owned is Owned.BUCKET:
            there = self.has_bucket(self.name)
        else:
            names = [bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]]
            for name in names:
                if name != self.name:
                    self._empty(name)
                    self.client.delete_bucket(Bucket=name)
            there = self.name in names
        self._written.clear()
        if not there:
            self.client.create_bucket(Bucket=self.name)
        elif self._owned is not Owned.ARCHIVES:
            self._restore()

    def give_back(self) -> None:
        """Remove what is ours from a store that is not."""
        self.clean()
        if self._owned is Owned.BUCKET:
            self.client.delete_bucket(Bucket=self.name)

    def _restore(self) -> None:
        """Make the bucket as it was at first: one that has had versions can only be made again."""
        if self._empty(self.name):
            self.client.delete_bucket(Bucket=self.name)
            self.client.create_bucket(Bucket=self.name)
        else:
            self.client.delete_bucket_lifecycle(Bucket=self.name)

    def _empty(self, bucket: str) -> bool:
        """Remove all objects; return whether the bucket has had versions."""
        if self.client.get_bucket_versioning(Bucket=bucket).get("Status"):
            self._remove_versions(bucket)
            return True
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            self._remove(bucket, [{"Key": found["Key"]} for found in page.get("Contents", [])])
        return False

    def _remove_versions(self, bucket: str) -> None:
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                self.client.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])

    def _remove(self, bucket: str, keys: list[ObjectIdentifierTypeDef]) -> None:
        if keys:
            self.client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
