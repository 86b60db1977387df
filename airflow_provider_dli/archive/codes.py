"""Every code a finding can carry, with its severity and meaning: the only list of them."""

from typing import Literal

Severity = Literal["error", "warning"]

ERRORS = {
    # the file as a whole
    "empty-file": "the file has no bytes",
    "cut-short": "the reader gave fewer bytes than the file's size",
    "changed-while-read": "the directory read first and the directory met in the pass differ",
    "no-end-record": "there is no end record: the file was cut off or is no ZIP archive",
    "trailing-data": "bytes other than zeros stand after the end record and its comment",
    "comment-cut": "the end record's comment is longer than what is left of the file",
    "end-record-in-comment": "the archive's comment holds another end record, which some readers would take",
    "second-end-record": "there is a second end record",
    "prepended-data": "bytes stand before the first entry",
    "split-archive": "the archive is one volume of several",
    "zip64-missing": "a field refers to ZIP64 data that is not there",
    "zip64-bad-record": "the ZIP64 end record or its locator is damaged",
    "zip64-mismatch": "ZIP64 end record and end record contradict each other",
    # the directory
    "no-directory": "the end record points at something that is no directory",
    "wrong-directory-offset": "the directory does not begin where the end record says",
    "wrong-directory-size": "the directory is not as long as the end record says",
    "wrong-entry-count": "the directory has another number of entries than the end record says",
    "bad-directory-header": "a directory header is damaged or cut off",
    "bad-extra-field": "an entry's extra field is damaged",
    "no-entries": "the archive is empty",
    # limits
    "too-many-entries": "more entries than the limit",
    "directory-too-large": "the directory is larger than the limit",
    "entry-too-large": "an entry would inflate to more than the limit",
    "archive-too-large": "the entries together would inflate to more than the limit",
    "suspicious-ratio": "an entry, or all together, would inflate far more than real data does: a bomb",
    # names
    "empty-name": "an entry has no name",
    "nul-in-name": "a name holds a NUL, where other readers stop",
    "path-traversal": "a name leads out of the directory it is extracted to",
    "absolute-path": "a name is an absolute path",
    "drive-path": "a name begins with a drive",
    "bad-utf8-name": "a name is marked as UTF-8 and is not",
    "unicode-path-mismatch": "a Unicode Path extra field gives the entry another name",
    "duplicate-name": "two entries have the same name",
    "same-path": "two names lead to one path, where one file replaces the other",
    "path-conflict": "an entry is a file, and the directory of another entry",
    # entries, as the directory tells them
    "encrypted": "an entry is encrypted",
    "patched-data": "an entry is a patch, not data",
    "unsupported-method": "an entry is neither stored nor deflated",
    "unsupported-version": "an entry needs a newer version of ZIP",
    "symbolic-link": "an entry is a symbolic link",
    "special-file": "an entry is a device or a socket",
    "marked-as-directory": "an entry with content is marked as a directory: readers drop the content",
    "marked-as-volume": "an entry with content is marked as the label of a volume: readers drop it",
    "directory-with-data": "an entry named as a directory has content",
    "stored-size-mismatch": "a stored entry has two different sizes",
    "impossible-size": "no deflate stream of that length inflates to that size",
    "bad-offset": "an entry lies outside of the file's data",
    "overlap": "two entries, or an entry and the directory, share bytes",
    # local headers against the directory
    "bad-local-header": "there is no local header where the directory says",
    "name-mismatch": "local header and directory differ in the name",
    "flags-mismatch": "local header and directory differ in the flags",
    "method-mismatch": "local header and directory differ in the compression method",
    "crc-mismatch": "local header and directory differ in the CRC-32",
    "size-mismatch": "local header and directory differ in a size",
    "missing-descriptor": "the data descriptor that the flags announce is not there",
    "bad-descriptor": "the data descriptor contradicts the directory",
    "hidden-data": "bytes between the entries belong to none",
    "hidden-entry": "an entry between the entries is not in the directory",
    # content
    "bad-crc": "the content has another CRC-32 than the directory says",
    "wrong-size": "the content has another size than the directory says",
    "bad-deflate": "the compressed data is damaged",
    "truncated-deflate": "the compressed data has no end",
    "junk-after-deflate": "bytes stand between the end of the compressed data and the entry's end",
    "bad-json": "a *.json entry is not JSON",
    # expectations
    "too-few-entries": "fewer entries than expected",
    "missing-job": "an expected job is not in the archive",
    "job-not-examined": "an expected job was not found, and not all that may hold it was examined",
}
"""Defects: an archive with one of these is not sound."""

WARNINGS = {
    "similar-name": "two names differ only in case or in dots at the end, and clash on some file systems",
    "zero-padding": "zeros stand after the end record, as of a tape's block",
    "time-mismatch": "local header and directory differ in date or time",
    "advisory-field": "a field that no reader needs is odd, or differs between local header and directory",
    "backslash-in-name": "a name holds a backslash, which is a separator on some systems only",
    "unusable-name": "a name, or a part of its path, is a dot or longer than file systems take",
    "control-character-in-name": "a name holds characters that change what a terminal or log shows",
    "unknown-flags": "an entry has flags that have no meaning yet",
    "json-unchecked": "a *.json entry is larger than the limit and was not parsed",
    "job-unproven": "an expected job is in no entry name, and this level does not read contents",
}
"""What a person should know, and no reader trips over."""

MORE = "more-findings"
"""Closes a series: so many more findings of one code; its severity is theirs."""


def severity(code: str) -> Severity:
    """Tell how bad a code is.

    :param code: a key of :data:`ERRORS` or :data:`WARNINGS`; any other is a :class:`KeyError`.
    """
    if code in ERRORS:
        return "error"
    WARNINGS[code]  # an unknown code is a mistake in this package
    return "warning"
