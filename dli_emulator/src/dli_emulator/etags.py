"""ETags that are not the MD5 of an object's content, as those of encrypted objects and of parallel file systems.

They still have the form of one: 32 hexadecimal digits. INVENTED: their values; the same object has the same one,
and conditions on it hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_HEX = re.compile(r"[0-9a-f]{32}")
_ELEMENT = re.compile(r"<ETag>[^<]*</ETag>")
#: an object or a version of one in a list
_LISTED = re.compile(r"<(Contents|Version)>.*?</\1>", re.DOTALL)
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_MASK = 0x9E3779B97F4A7C15F39CC0605CEDC834
#: request headers with an ETag
CONDITIONS = {"if-match", "if-none-match", "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match"}


def exchanged(text: str) -> str:
    """Return a header's value with the other ETag; twice gives the value itself.

    :param text: one ETag, or several
    """
    return _HEX.sub(lambda found: f"{int(found[0], 16) ^ _MASK:032x}", text)


def exchanged_in(page: str) -> str:
    """Return an XML page with the other ETag in each of its elements.

    :param page: of a request or a response
    """
    return _ELEMENT.sub(lambda found: exchanged(found[0]), page)


@dataclass(frozen=True)
class ETags:
    """Which objects have ETags that are not the MD5 of their content.

    :param kind: of the setting ``object_etags``
    :param encrypted: places ``bucket/key`` of single objects that are encrypted
    """

    kind: str
    encrypted: Collection[str] = ()

    def __bool__(self) -> bool:
        """Whether there may be any."""
        return self.kind != "md5" or bool(self.encrypted)

    def are_other(self, place: str) -> bool:
        """Return whether an object's ETag is not its MD5.

        :param place: ``bucket/key``
        """
        return self.kind != "md5" or place in self.encrypted

    def is_encrypted(self, place: str) -> bool:
        """Return whether an object is encrypted.

        :param place: ``bucket/key``
        """
        return self.kind == "encrypted" or place in self.encrypted

    def in_list(self, page: str, bucket: str) -> str:
        """Return a list of objects or versions with their ETags.

        :param page: XML
        :param bucket: that is listed
        """

        def each(found: re.Match[str]) -> str:
            key = _KEY.search(found[0])
            return exchanged_in(found[0]) if self.are_other(f"{bucket}/{key[1] if key else ''}") else found[0]

        return _LISTED.sub(each, page)
