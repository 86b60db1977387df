"""What an archive may cost. All of it is checked before a byte is inflated."""

from typing import NamedTuple

MIB = 1 << 20
GIB = 1 << 30


class Limits(NamedTuple):
    """Bounds on time and memory.

    Peak memory is some 24 MiB, 500 bytes an entry, 25 times ``json_bytes``, and the directory: once where names
    are ASCII, up to six times where hostile names blow up in memory.

    :param entries: most entries; default 500 000.
    :param directory_bytes: longest directory; default 64 MiB.
    :param entry_bytes: largest entry, inflated; default 16 GiB.
    :param total_bytes: largest sum of all entries, inflated; default 64 GiB.
    :param ratio: inflated : compressed from which an entry, or the whole, is called a bomb; default 200.
    :param ratio_floor: inflated bytes below which the ratio harms nobody; default 4 MiB.
    :param json_bytes: largest ``*.json`` that is parsed; default 1 MiB.
    :param findings: most findings kept of one code; the rest is counted; default 100.
    """

    entries: int = 500_000
    directory_bytes: int = 64 * MIB
    entry_bytes: int = 16 * GIB
    total_bytes: int = 64 * GIB
    ratio: int = 200
    ratio_floor: int = 4 * MIB
    json_bytes: int = 1 * MIB
    findings: int = 100
