"""ObsHook: objects in OBS, on the same Airflow connection as DLI."""

from __future__ import annotations

import io
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_provider_dli.client.errors import PermissionDeniedError
from airflow_provider_dli.client.exchange import utc_now
from airflow_provider_dli.client.locations import ObsLocation, parse_archive
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.hooks.base import AccountHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from mypy_boto3_s3 import S3Client

    from airflow_provider_dli.client.credentials import AccessKey
    from airflow_provider_dli.client.exchange import Account
    from airflow_provider_dli.client.obs import client as boto
    from airflow_provider_dli.client.obs import objects, reader
    from airflow_provider_dli.client.obs.objects import Directory, Listing, ObjectFacts
    from airflow_provider_dli.client.obs.reader import ObjectReader
    from airflow_provider_dli.client.replies import ServiceClock
else:

    class _Lazy:
        """A module that is imported when it is first used, and boto3 with it: a DAG file may import this hook."""

        def __init__(self, name: str) -> None:
            self._name = f"airflow_provider_dli.client.obs.{name}"

        def __getattr__(self, name: str) -> object:
            return getattr(import_module(self._name), name)

    boto, objects, reader = _Lazy("client"), _Lazy("objects"), _Lazy("reader")


#: bytes of an object that are in memory at once while it passes through this machine
_CHUNK = 1024 * 1024


class ObsHook(AccountHook):
    """Read and write Huawei Cloud Object Storage Service (OBS) through its S3 interface.

    Every method raises :class:`~airflow_provider_dli.exceptions.DliException` if OBS does not respond, and
    :class:`~airflow_provider_dli.exceptions.DliFailException` if the bucket is missing or does not allow it.

    .. seealso::
        :doc:`Hooks in your own tasks </docs/hooks>`.

    :param dli_conn_id: connection of type ``dli``; its ``obs_endpoint`` follows from the region if not given
    """

    hook_name = "Huawei Cloud OBS"

    def get_conn(self) -> S3Client:
        """Return a boto3 S3 client set up for OBS: all of its interface can be used. Made once.

        :raises DliException: if there is no such connection, or its keys cannot be had
        :raises DliFailException: if the connection is not usable
        """
        return self._client

    def find(self, place: ObsLocation | str) -> ObjectFacts | None:
        """Look up an object.

        :param place: ``bucket/key``, with or without ``obs://``
        :returns: size, ETag and time of the last write; None if the bucket has no such object
        """
        with self._translated():
            return objects.find_object(self._client, _place(place))

    async def afind(self, place: ObsLocation | str, *, bucket_known: bool = False) -> ObjectFacts | None:
        """Look up an object without blocking the event loop or taking a thread; otherwise like :meth:`find`.

        :param place: ``bucket/key``, with or without ``obs://``
        :param bucket_known: True where an earlier request has shown that the bucket is there: one request less
        """
        with self._translated():
            checked = _place(place)
        account = await self._aaccount()
        return await self._arun(objects.find_object_flow(checked, account, utc_now, bucket_known=bucket_known))

    def open(self, place: ObsLocation | str, facts: ObjectFacts) -> ObjectReader:
        """Open an object as a seekable binary file that is read in ranges, never on disk.

        :param place: ``bucket/key``, with or without ``obs://``
        :param facts: of the version to read, from :meth:`find`; another version is refused
        :raises DliFailException: if it lies in an archive tier. What goes wrong later, while it is read, is a
            :class:`~airflow_provider_dli.client.errors.DliClientError`
        """
        with self._translated():
            return reader.ObjectReader(self._client, _place(place), facts)

    def list_directory(self, directory: ObsLocation) -> Listing:
        """List the objects of a directory, and not the directories in it.

        :param directory: bucket, or bucket and directory
        """
        with self._translated():
            return objects.list_objects(self._client, directory)

    def list_entries(self, directory: ObsLocation) -> Directory | None:
        """List the objects of a directory, and the directories in it.

        :param directory: bucket, or bucket and directory
        :returns: what lies in it; None if there is no such directory
        """
        with self._translated():
            return objects.list_entries(self._client, directory)

    def list_keys(self, directory: ObsLocation) -> list[str]:
        """List the keys of all objects below a directory, at any depth.

        :param directory: bucket, or bucket and directory
        """
        with self._translated():
            return objects.list_keys(self._client, directory)

    def list_tree(self, directory: ObsLocation) -> Iterator[objects.Entry]:
        """List all objects below a directory, at any depth, in the order of their keys.

        :param directory: bucket, or bucket and directory
        :returns: key, size, ETag and time of the last write of each; a thousand with each request
        """
        with self._translated():
            yield from objects.list_tree(self._client, directory)

    def has_objects(self, directory: ObsLocation) -> bool:
        """Return whether there is an object below a directory, which is what makes it one.

        :param directory: bucket, or bucket and directory
        """
        with self._translated():
            return objects.has_objects(self._client, directory)

    def read(self, place: ObsLocation | str, limit: int) -> bytes | None:
        """Return the bytes of a small object, by one request.

        :param place: ``bucket/key``, with or without ``obs://``
        :param limit: most bytes
        :returns: None if the bucket has no such object
        :raises DliException: if it has more bytes
        """
        with self._translated():
            return objects.get_object(self._client, _place(place), limit)

    def put(self, place: ObsLocation | str, data: bytes, content_type: str) -> None:
        """Write an object.

        :param place: ``bucket/key``, with or without ``obs://``
        :param data: its bytes
        :param content_type: such as ``text/markdown; charset=utf-8``
        """
        with self._translated():
            objects.put_object(self._client, _place(place), data, content_type)

    def copy(self, source: ObsLocation, facts: ObjectFacts, target: ObsLocation) -> None:
        """Copy an object within the service; nothing of it passes this machine.

        :param source: what to copy; these keys must be allowed to read it
        :param facts: of the version to copy, from :meth:`find`; another version is refused
        :param target: where to
        :raises DliException: if OBS does not respond, or the source has been replaced or deleted
        :raises DliFailException: if the source may not be read, or the target not be written
        """
        with self._translated():
            objects.copy_object(self._client, source, facts, target)

    def copy_from(
        self,
        owner: ObsHook,
        source: ObsLocation,
        facts: ObjectFacts,
        target: ObsLocation,
        count: Callable[[int], object] | None = None,
    ) -> bool:
        """Copy an object of another account or region, or of this one.

        Within OBS, if these keys may read it and it is not too large for that; otherwise through this machine, in
        chunks and never on disk.

        :param owner: hook whose keys may read it
        :param source: what to copy
        :param facts: of the version to copy, from :meth:`find`; another version is refused
        :param target: where to, for these keys
        :param count: called with the bytes of each piece that has passed through this machine
        :returns: whether it stayed within OBS
        :raises DliException: as :meth:`copy` and :meth:`stream`
        """
        if facts.size <= objects.MAX_COPY and self._can_read(source, facts):
            self.copy(source, facts, target)
            return True
        with owner.open(source, facts) as raw, io.BufferedReader(raw, _CHUNK) as buffered:
            self.stream(buffered, target, count)
        return False

    def _can_read(self, source: ObsLocation, facts: ObjectFacts) -> bool:
        try:
            seen = self.find(source)
        except DliException as error:
            if isinstance(error, DliFailException) or isinstance(error.error, PermissionDeniedError):
                return False  # another account, or another region: these keys do not open this bucket
            raise
        return seen is not None and seen.etag == facts.etag

    def stream(self, reader: BinaryIO, target: ObsLocation, count: Callable[[int], object] | None = None) -> None:
        """Write an object out of a binary file, in pieces.

        :param reader: such as another hook's :meth:`open` returns
        :param target: where to
        :param count: called with the bytes of each piece that was written
        """
        with self._translated():
            objects.upload(self._client, reader, target, count=count)

    def upload(self, file: BinaryIO, target: ObsLocation, content_type: str) -> None:
        """Write an object out of a file on this machine, in pieces, several at once.

        :param file: read from its beginning to its end
        :param target: where to
        :param content_type: such as ``text/plain``
        """
        with self._translated():
            objects.upload(self._client, file, target, content_type, threads=True)

    def delete(self, place: ObsLocation) -> None:
        """Remove an object; one that is not there is as good as removed.

        :param place: bucket and key
        """
        with self._translated():
            objects.delete_object(self._client, place)

    def _clock(self, account: Account) -> ServiceClock:
        return account.obs_clock

    @cached_property
    def _client(self) -> S3Client:
        account = self.account
        with translated(self.dli_conn_id):
            return boto.make_client(account, self._key, self._transport)

    def _key(self) -> AccessKey:
        return self._run(self.account.credentials.keys(utc_now))


def _place(place: ObsLocation | str) -> ObsLocation:
    return place if isinstance(place, ObsLocation) else parse_archive("place", place)
