"""Places in OBS as URIs of assets, and back."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_SCHEME = "obs://"
# What a URI would take apart or lose: a percent sign, the beginning of query and fragment, blanks at the end.
_TAKEN_APART = re.compile(r"[%?#]|\s+\Z")


def uri_of(place: str) -> str:
    """Give the URI of a place; what a URI would take apart is percent-encoded, so that no two places share one.

    :param place: ``bucket`` or ``bucket/key``
    """
    return f"{_SCHEME}{_TAKEN_APART.sub(lambda found: quote(found[0]), place)}"


def place_of(uri: str) -> str:
    """Give the place that a URI names, as ``bucket`` or ``bucket/key``.

    :param uri: of an asset of the scheme ``obs``
    """
    return unquote(uri.removeprefix(_SCHEME))
