"""Small text files on this machine: of a token, of credentials. They may be pipes, or of any size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: most bytes of such a file: a token and two keys of 32 KiB each, and more
_MAX_BYTES = 131072


def read_small_file(path: str | Path) -> tuple[str, str]:
    """Return the text of a file, and what is wrong with it; one of the two is empty. Nothing of it is shown."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return "", "is not a regular file"
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            return "", f"has more than {_MAX_BYTES:,} bytes"
        return content.decode(), ""
    except (OSError, ValueError) as error:
        return "", f"cannot be read ({type(error).__name__})"


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting: the writer of a pipe may never come, and all triggers would wait with it."""
    return os.open(path, flags | os.O_NONBLOCK)
