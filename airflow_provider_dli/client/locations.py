"""Places in OBS as DLI names them: ``bucket/key``, without a scheme."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.formatting import excerpt

_SCHEME = "obs://"
_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
# Bucket names: 3 to 63 lower-case letters, digits, hyphens and dots, ending in a letter or digit.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
#: categories of characters that no key may have: control characters, separators of lines, lone surrogates
_NEVER_IN_A_KEY = frozenset({"Cc", "Zl", "Zp", "Cs"})
_MAX_KEY_BYTES = 1023
#: bytes that DLI adds to ``obs_dir``
ARCHIVE_NAME = len("/aggregate_1582677879475.zip")
#: the name of the directory of a batch, below ``obs_dir``; and its bytes, with the slash, up to batch 9999
_BATCH_NAME = re.compile(r"batch-[0-9]{4,}")
BATCH_DIRECTORY = len("/batch-0001")


@dataclass(frozen=True, slots=True)
class ObsLocation:
    """A bucket, or an object or directory in it.

    :param bucket: bucket name
    :param key: object key or directory without slashes at its ends, but for the one that marks a directory where
        either is allowed; empty for the bucket itself
    """

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        """``bucket`` or ``bucket/key``: the plain form of DLI."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    def below(self, name: str) -> ObsLocation:
        """Return a place in this directory."""
        return ObsLocation(self.bucket, f"{self.key}/{name}" if self.key else name)

    def batch(self, number: int) -> ObsLocation:
        """Return the directory of a batch in this one."""
        return self.below(f"batch-{number:04d}")

    @property
    def is_directory(self) -> bool:
        """Whether a slash at its end marks it as a directory; without one it may be either."""
        return self.key.endswith("/")

    @property
    def directory(self) -> ObsLocation:
        """The same without the slash that marks a directory."""
        return ObsLocation(self.bucket, self.key.removesuffix("/"))

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive, by its name."""
        return self.key.lower().endswith(".zip")

    @property
    def without_batch(self) -> ObsLocation:
        """The directory that this one is a batch of; this one if it is of no batch."""
        parent, _, name = self.key.rpartition("/")
        return ObsLocation(self.bucket, parent) if _BATCH_NAME.fullmatch(name) else self

    @property
    def longest(self) -> int:
        """Most bytes that the name of an object in it, with the slash before it, may have."""
        return _MAX_KEY_BYTES - len(self.key.encode())

    @property
    def url(self) -> str:
        """The same with its scheme, as people and other tools write it."""
        return f"{_SCHEME}{self}"


def parse_directory(field: str, text: object, *, reserve: int = 0) -> ObsLocation:
    """Return a bucket or a directory in it: ``bucket``, ``bucket/dir``, ``obs://bucket/dir/``.

    Which of these DLI itself takes is not established beyond the plain form, so that alone is ever sent.

    :param field: the parameter it comes from, for the message
    :param text: what was given
    :param reserve: bytes of the name, with its slash, that an object in it will have
    :raises ConfigurationError: if it names no bucket, has another scheme, or cannot be an OBS name
    """
    remedy = "give bucket, bucket/directory or obs://bucket/directory"
    # One slash and no more: "bucket//" is what a template makes of a directory that is nothing.
    path = _without_scheme(field, text, remedy).removesuffix("/")
    if not path:
        raise ConfigurationError(field, f"{excerpt(text)} names no bucket", remedy)
    bucket, slash, key = path.partition("/")
    _check_bucket(field, bucket, text, remedy)
    if slash and any(segment in ("", ".", "..") for segment in key.split("/")):
        raise ConfigurationError(field, f"{excerpt(text)} has an empty, '.' or '..' directory in it", remedy)
    if "\\" in key:
        raise ConfigurationError(field, f"{excerpt(text)} has a backslash in it", "write directories with /")
    # A reader sees another name than the store has: "a\u202eb" or "a\u200bb".
    if any(unicodedata.category(character) == "Cf" for character in key):
        raise ConfigurationError(field, f"{excerpt(text)} has invisible characters", "give a name without them")
    return ObsLocation(bucket, _checked_key(field, key, reserve))


def parse_archive(field: str, text: object) -> ObsLocation:
    """Return the place of one entry of ``zip_file`` as DLI returns it: ``bucket/key``, with or without ``obs://``.

    :raises ConfigurationError: if it does not name a bucket and an object in it
    """
    remedy = "give bucket/key or obs://bucket/key, as the export returned it"
    bucket, _, key = _without_scheme(field, text, remedy).partition("/")
    if not key:
        raise ConfigurationError(field, f"{excerpt(text)} does not name a bucket and an object in it", remedy)
    _check_bucket(field, bucket, text, remedy)
    # What lies between sender and store may resolve these, and so read another object.
    if any(segment in (".", "..") for segment in key.split("/")):
        raise ConfigurationError(field, f"{excerpt(text)} has a '.' or '..' directory in it", remedy)
    return ObsLocation(bucket, _checked_key(field, key))


def _without_scheme(field: str, text: object, remedy: str) -> str:
    if not isinstance(text, str):
        raise ConfigurationError(field, f"{excerpt(text)} is not a string", remedy)
    path = text.strip()
    if path.lower().startswith(_SCHEME):
        return path[len(_SCHEME) :]
    if _ANY_SCHEME.match(path):
        raise ConfigurationError(field, f"{excerpt(text)} is not a place in OBS", remedy)
    return path


def _check_bucket(field: str, bucket: str, text: object, remedy: str) -> None:
    # A template that rendered to nothing: the first directory must not be taken for the bucket.
    if not bucket:
        raise ConfigurationError(field, f"{excerpt(text)} has no bucket before its first slash", remedy)
    is_name = _BUCKET.fullmatch(bucket) and not _ADDRESS.fullmatch(bucket)
    if not is_name or any(pair in bucket for pair in ("..", ".-", "-.")):
        raise ConfigurationError(
            field,
            f"{excerpt(bucket)} cannot be a bucket name",
            "bucket names have 3 to 63 lower-case letters, digits, hyphens and dots, no dot beside another or a "
            "hyphen, and are not an IP address",
        )


def _checked_key(field: str, key: str, reserve: int = 0) -> str:
    if any(unicodedata.category(character) in _NEVER_IN_A_KEY for character in key):
        raise ConfigurationError(
            field,
            f"{excerpt(key)} has control characters, line separators or half a character",
            "give a name without them",
        )
    size = len(key.encode())
    if size + reserve > _MAX_KEY_BYTES:
        room = f", {reserve} of them for the name of an object in it" if reserve else ""
        raise ConfigurationError(
            field, f"is {size:,} bytes long", f"OBS keys have at most {_MAX_KEY_BYTES:,} bytes{room}"
        )
    return key
