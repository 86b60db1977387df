"""What the boto3 client sends to show that a body arrived as it left: Content-MD5 where it must, nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig

from airflow_provider_dli.client.obs.client import make_client
from airflow_provider_dli.client.transport import Network
from tests.client.conftest import TlsServer
from tests.http_server import HttpHandler

if TYPE_CHECKING:
    import trustme

RULE = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "a&b/"}, "Expiration": {"Days": 30}}
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
TAGS = {"TagSet": [{"Key": "k", "Value": "v"}]}
DESTINATION = {"Bucket": "arn:aws:s3:::other"}
REPLICATION = {"Role": "agency", "Rules": [{"Status": "Enabled", "Prefix": "", "Destination": DESTINATION}]}
SSE = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}

#: operations for which S3 requires a checksum: those of which OBS's manual has an equivalent
REQUIRED: dict[str, dict[str, Any]] = {
    "delete_objects": {"Delete": {"Objects": [{"Key": "a\rb"}, {"Key": "c"}]}},
    "put_bucket_lifecycle_configuration": {"LifecycleConfiguration": {"Rules": [RULE]}},
    "put_bucket_cors": {"CORSConfiguration": CORS},
    "put_bucket_tagging": {"Tagging": TAGS},
    "put_bucket_replication": {"ReplicationConfiguration": REPLICATION},
    "put_bucket_encryption": {"ServerSideEncryptionConfiguration": SSE},
    "put_bucket_policy": {"Policy": '{"Statement": []}'},
    "put_bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}},
    "put_object_tagging": {"Key": "a", "Tagging": TAGS},
    "put_object_acl": {"Key": "a", "ACL": "private"},
}

DELETED = b"<DeleteResult/>"
STARTED = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
COMPLETED = b'<CompleteMultipartUploadResult><ETag>"e-2"</ETag></CompleteMultipartUploadResult>'
BODIES = {"?delete": DELETED, "?uploads": STARTED, "?uploadId": COMPLETED}


class Handler(HttpHandler):
    """Accepts whatever is written, and keeps headers and bytes as they came."""

    def do_PUT(self) -> None:
        length = int(self.headers.get("Content-Length", -1))
        assert length >= 0, "a body of unknown length"
        self.server.received.append((dict(self.headers.items()), self.rfile.read(length)))
        posted = next((body for name, body in BODIES.items() if name in self.path), b"")
        body = posted if self.command == "POST" else b""
        self.begin(200, {"ETag": '"e"', "Content-Type": "application/xml"}, len(body))
        self.wfile.write(body)

    do_POST = do_PUT


@pytest.fixture
def received() -> list[tuple[dict[str, str], bytes]]:
    return []


@pytest.fixture
def client(
    authority: trustme.CA, bundle: str, account_at: Any, received: list[tuple[dict[str, str], bytes]]
) -> Iterator[Any]:
    """Return a client of a store behind TLS: over plain HTTP botocore sends no trailers."""
    with TlsServer(authority, Handler) as server:
        server.received = received
        account = replace(account_at(server.url), network=Network(verify=bundle))
        yield make_client(account, lambda: account.credentials)


def checksums(headers: dict[str, str]) -> list[str]:
    """Return the names of headers of checksums that OBS does not have."""
    names = [name.lower() for name in headers]
    return [name for name in names if "checksum" in name or "trailer" in name or name == "transfer-encoding"]


@pytest.mark.parametrize("chosen", [{}, {"ChecksumAlgorithm": "SHA256"}], ids=["default", "chosen"])
@pytest.mark.parametrize("operation", REQUIRED)
def test_content_md5_is_sent_where_s3_requires_a_checksum(
    client: Any, received: list[tuple[dict[str, str], bytes]], operation: str, chosen: dict[str, str]
) -> None:
    """It is that of the bytes on the wire, it is signed, and there is no other."""
    getattr(client, operation)(Bucket="obs-test", **REQUIRED[operation], **chosen)
    ((headers, body),) = received
    assert headers["Content-MD5"] == base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    assert "content-md5;" in headers["Authorization"]
    assert checksums(headers) == []


def test_a_given_content_md5_is_kept(client: Any, received: list[tuple[dict[str, str], bytes]]) -> None:
    """Whoever computed it before the request wants it compared."""
    client.put_bucket_cors(Bucket="obs-test", CORSConfiguration=CORS, ContentMD5="bm90IHRoZSBNRDUgb2YgaXQ=")
    ((headers, _),) = received
    assert headers["Content-MD5"] == "bm90IHRoZSBNRDUgb2YgaXQ="


def test_uploads_have_no_checksums_and_no_trailers(
    client: Any, received: list[tuple[dict[str, str], bytes]]
) -> None:
    """By put_object, from a file, from a stream, and in parts: the body is the bytes of the object."""
    data = bytes(range(256)) * 40_000
    client.put_object(Bucket="obs-test", Key="a", Body=data)
    client.put_object(Bucket="obs-test", Key="a", Body=io.BytesIO(data))
    client.upload_fileobj(io.BytesIO(data), "obs-test", "a", Config=TransferConfig(multipart_threshold=2**30))
    parts = TransferConfig(multipart_threshold=2**23, multipart_chunksize=2**23, use_threads=False)
    client.upload_fileobj(io.BytesIO(data), "obs-test", "a", Config=parts)
    assert [checksums(headers) for headers, _ in received] == [[]] * 7
    assert [body for _, body in received[:3]] == [data] * 3
    assert b"".join(body for _, body in received[4:6]) == data
    assert {headers.get("Content-Encoding") for headers, _ in received} == {None}
