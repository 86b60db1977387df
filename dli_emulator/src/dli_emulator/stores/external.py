"""A store that runs already, named by its URL."""

from __future__ import annotations

from secrets import token_hex
from urllib.parse import unquote, urlsplit

from dli_emulator.errors import EmulatorError
from dli_emulator.obs import Bucket, Owned, s3_client


class External:
    """A store that runs already. Nothing is removed from it but what the emulator made.

    :param url: its base URL, perhaps with the key and a bucket: ``http://AK:SK@host:port/bucket``. Without a
        bucket the emulator makes one, and removes it in the end
    :param access_key: AK, if not in the URL
    :param secret_key: its SK
    :raises EmulatorError: if the URL is none, or there is no key
    """

    any_region = True

    def __init__(self, url: str, access_key: str | None, secret_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EmulatorError(f"the object store {url!r} is neither seaweedfs nor moto nor an http(s) URL")
        key = (unquote(parts.username), unquote(parts.password)) if parts.username and parts.password else None
        self.access_key, self.secret_key = key or (access_key or "", secret_key or "")
        if not self.access_key or not self.secret_key:
            raise EmulatorError(
                f"no key for the object store: write it as {parts.scheme}://AK:SK@{parts.hostname}"
            )
        self.endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._name = parts.path.strip("/")
        self._bucket: Bucket | None = None

    def start(self) -> Bucket:
        """See that it takes objects; return the bucket.

        :raises EmulatorError: if it cannot be reached, or refuses
        """
        limits = {"connect_timeout": 5, "read_timeout": 30, "retries": {"total_max_attempts": 1}}
        client = s3_client(self.endpoint, self.access_key, self.secret_key, **limits)
        bucket = Bucket(client, self._name or f"dli-emulator-{token_hex(4)}", Owned.BUCKET)
        try:
            if self._name and bucket.has_bucket(self._name):
                bucket = Bucket(client, self._name, Owned.ARCHIVES)
            bucket.prepare()
        except Exception as error:
            raise EmulatorError(f"the object store {self.endpoint} does not take objects: {error}") from error
        self._bucket = bucket
        return bucket

    def give_up(self) -> None:
        """Do nothing: its start does not take long."""

    def stop(self) -> None:
        """Remove what the emulator made. Does nothing if that has been done."""
        bucket, self._bucket = self._bucket, None
        if bucket:
            bucket.give_back()
