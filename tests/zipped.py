"""Archives for tests that need one of no particular kind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping


def zipped(contents: Mapping[str, str | bytes] | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive.

    :param contents: entry -> what it has; one job by default
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in ({"100.json": "{}"} if contents is None else contents).items():
            archive.writestr(name, content)
    return target.getvalue()
