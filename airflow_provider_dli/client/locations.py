"""Places in OBS as DLI names them: ``bucket/key``, without a scheme."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_dli.client.errors import ConfigurationError

_SCHEME = "obs://"
_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
# Bucket names: 3 to 63 lower-case letters, digits, hyphens and dots, ending in a letter or digit.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ObsLocation:
    """A bucket, or an object or directory in it.

    :param bucket: bucket name
    :param key: object key or directory without slashes at its ends; empty for the bucket itself
    """

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        """``bucket`` or ``bucket/key``: the plain form that DLI takes and gives."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    def below(self, name: str) -> ObsLocation:
        """Give a place in this directory.

        :param name: of the object or directory in it
        """
        return ObsLocation(self.bucket, f"{self.key}/{name}" if self.key else name)

    @property
    def url(self) -> str:
        """The same with its scheme, as people and other tools write it."""
        return f"{_SCHEME}{self}"


def parse_directory(field: str, text: object) -> ObsLocation:
    """Read a bucket or a directory in it: ``bucket``, ``bucket/dir``, ``obs://bucket/dir/``.

    Which of these DLI itself takes is not established beyond the plain form, so that alone is ever sent.

    :param field: the parameter it comes from, for the message
    :param text: what was given
    :raises ConfigurationError: if it names no bucket, has another scheme, or cannot be an OBS name
    """
    remedy = "give bucket, bucket/directory or obs://bucket/directory"
    path = _without_scheme(field, text, remedy).strip("/")
    if not path:
        raise ConfigurationError(field, f"{text!r} names no bucket", remedy)
    bucket, _, key = path.partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise ConfigurationError(
            field,
            f"{bucket!r} cannot be a bucket name",
            "bucket names have 3 to 63 lower-case letters, digits, hyphens and dots",
        )
    if any(segment in ("", ".", "..") for segment in key.split("/")) and key:
        raise ConfigurationError(field, f"{text!r} has an empty, '.' or '..' directory in it", remedy)
    return ObsLocation(bucket, _checked_key(field, key))


def parse_archive(field: str, text: object) -> ObsLocation:
    """Read one entry of ``zip_file`` as DLI gives it: ``bucket/key``, with or without ``obs://``.

    :param field: the parameter it comes from, for the message
    :param text: what was given
    :raises ConfigurationError: if it does not name a bucket and an object in it
    """
    remedy = "give bucket/key or obs://bucket/key, as the export returned it"
    path = _without_scheme(field, text, remedy).lstrip("/")
    bucket, _, key = path.partition("/")
    if not key:
        raise ConfigurationError(field, f"{text!r} does not name a bucket and an object in it", remedy)
    if not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(field, f"{bucket!r} cannot be a bucket name", remedy)
    return ObsLocation(bucket, _checked_key(field, key))


def _without_scheme(field: str, text: object, remedy: str) -> str:
    if not isinstance(text, str):
        raise ConfigurationError(field, f"a text is needed, not {type(text).__name__}", remedy)
    path = text.strip()
    if path.lower().startswith(_SCHEME):
        return path[len(_SCHEME) :]
    if _ANY_SCHEME.match(path):
        raise ConfigurationError(field, f"{text!r} is not a place in OBS", remedy)
    return path


def _checked_key(field: str, key: str) -> str:
    if any(ord(character) < ord(" ") or character == "\x7f" for character in key):
        raise ConfigurationError(field, f"{key!r} has control characters", "give a name without them")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise ConfigurationError(field, f"{key!r} is not valid Unicode", "give a name that is") from None
    if size > _MAX_KEY_BYTES:
        raise ConfigurationError(field, f"is {size} bytes long", f"OBS keys have at most {_MAX_KEY_BYTES} bytes")
    return key
