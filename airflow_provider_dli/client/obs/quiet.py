"""botocore logs at DEBUG what must not stand in a log: signatures, security tokens, and who signs.

The access key id is no secret, but the secret key is, where the two are swapped.
"""

from __future__ import annotations

import logging
import re

_SECRETS = re.compile(r"(?i)(x-amz-security-token'?:\s*|signature[=:]\s*|credential=)[^\s,}]+")
# The loggers that tell of a request once it is signed.
_LOGGERS = ("botocore.auth", "botocore.endpoint")


class Blot(logging.Filter):
    """Blots secrets out of records; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Blot out one record's."""
        message = record.getMessage()
        blotted = _SECRETS.sub(r"\1***", message)
        if blotted != message:
            record.msg, record.args = blotted, ()
        return True


_BLOT = Blot()


def hush() -> None:
    """Keep secrets out of botocore's logs from now on; for all of this process, as loggers are."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_BLOT)
