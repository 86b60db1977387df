"""What the command lines print, whatever the stream can encode, and whether anybody reads it."""

from __future__ import annotations

import os
import sys
from typing import TextIO

#: exit status of a command that Ctrl-C ended
INTERRUPTED = 130


def write(text: str, stream: TextIO | None) -> bool:
    """Print a text in whatever the stream can encode; return False if it cannot be written.

    A reader who has seen enough, such as ``head``, changes no verdict.
    """
    problem = "it is closed"
    if stream:
        encoding = stream.encoding or "utf-8"
        try:
            print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
        except OSError as error:
            # What is left in the stream's buffer must not fail again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if isinstance(error, BrokenPipeError):
                return True
            problem = error.strerror or str(error)
        else:
            return True
    if stream is sys.stdout and sys.stderr:
        write(f"the report cannot be written to standard output: {problem}", sys.stderr)
    return False
