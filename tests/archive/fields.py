"""Fields that may be wrong: which readers lose data by each, and what is reported. The only list of them.

Measured by ``tests/archive/test_readers.py`` with Python, unzip 6, 7-Zip, bsdtar, Java 17 and Go, of which it runs
those that are installed. A field by which nobody loses data never fails an archive; it is worth a warning at most,
but for flags that no writer sets and 7-Zip complains of.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One field, and a way in which it may be wrong.

    :param what: the field.
    :param losing: the readers that lose data by it.
    :param code: of the finding; None if nothing is reported.
    """

    what: str
    losing: tuple[str, ...]
    code: str | None


ALL = ("Python", "unzip", "7z", "bsdtar", "Java", "Go")
FIELDS = (
    Field("descriptor of a ZIP64 entry cut to its first 16 bytes, as Java 17 copies it", (), "advisory-field"),
    Field("date or time differs between local header and directory", (), "time-mismatch"),
    Field("flags 1, 2, 15 differ (how hard was compressed; reserved)", (), "advisory-field"),
    Field("flags 1, 2 differ, the entry is stored and not the first", ("7z",), "flags-mismatch"),
    Field("flag 11 (UTF-8) differs, the name is ASCII", (), "advisory-field"),
    Field("flags 4, 7 to 10, 12, 14 differ; 7-Zip reports an error", (), "flags-mismatch"),
    Field("flag 0 (encrypted) differs", ("Python", "unzip", "7z", "bsdtar", "Java"), "flags-mismatch"),
    Field("flag 3 (descriptor) differs", ("unzip", "Go"), "flags-mismatch"),
    Field("version needed, in the directory, above 46, or 42 of VMS", ("unzip",), "unsupported-version"),
    Field("version needed, in the directory, above 63", ("Python", "unzip"), "unsupported-version"),
    Field("version needed, in the local header", (), None),
    Field("version made by, internal attributes, unknown extra fields", (), None),
    Field("one to three bytes other than zeros at the end of extra fields", ("bsdtar",), "bad-extra-field"),
    Field("an extra field of times (0x5455) or AES (0x9901) that is too short", ("bsdtar",), "bad-extra-field"),
    Field("directory mode or bit in libarchive's extra field 0x6c78", ("bsdtar",), "marked-as-directory"),
    Field("link mode in libarchive's extra field 0x6c78", ("bsdtar",), "symbolic-link"),
    Field("another mode than a file's in libarchive's extra field 0x6c78", ("bsdtar",), "special-file"),
    Field("directory bit 0x10 on content, host 0", ("7z", "bsdtar", "Go"), "marked-as-directory"),
    Field("directory bit 0x10 on content, host 6", ("7z",), "marked-as-directory"),
    Field("directory bit 0x10 on content, hosts 11 and 14", ("7z", "Go"), "marked-as-directory"),
    Field("directory bit 0x10 on content, another host", (), None),
    Field("volume bit 0x08 on content, hosts 0, 5, 6 and 11", ("unzip",), "marked-as-volume"),
    Field("reparse bit 0x400 on content, hosts 0 and 11; 7-Zip reports an error", (), "advisory-field"),
    Field("directory mode 040755 on content, host 3", ("7z", "bsdtar", "Go"), "marked-as-directory"),
    Field("directory mode 040755 on content, host 19", ("Go",), "marked-as-directory"),
    Field("link mode 0120777 on content, host 3", ("unzip", "7z", "bsdtar", "Go"), "symbolic-link"),
    Field("link mode 0120777 on content, hosts 0 and 11", ("7z",), "symbolic-link"),
    Field("link mode 0120777 on content, hosts 2, 5 and 16", ("unzip",), "symbolic-link"),
    Field("link mode 0120777 on content, host 19", ("Go",), "symbolic-link"),
    Field("odd mode, such as 0177777, on content, host 3", ("bsdtar", "Go"), "special-file"),
    Field("any mode on a directory entry", (), None),
    Field("volume 1, 2, or 65535 without ZIP64", ("7z",), "split-archive"),
    Field("volume 65535, the real one, 0, in the ZIP64 field", ("Java",), "advisory-field"),
    Field("end record: volume", ("7z",), "split-archive"),
    Field("end record: volume of the directory, entries on this volume", (), "advisory-field"),
    Field("the same, and entries have descriptors", ("7z", "bsdtar"), "split-archive"),
    Field("ZIP64 locator: 0 volumes in all", ("unzip", "bsdtar", "Go"), "split-archive"),
    Field("zeros behind the end record", (), "zero-padding"),
    Field("zeros behind an end record with ZIP64", ("Java",), "zero-padding"),
    Field("ZIP64 values that no plain field needs", (), "advisory-field"),
    Field("ZIP64 field in the directory of other than 0, 8, 16, 24 or 28 bytes", ("Java",), "advisory-field"),
    Field("comment of an entry that is not UTF-8", ("Java",), "advisory-field"),
    Field("a file `a` beside `a/b`", ("Python", "unzip", "7z", "bsdtar"), "path-conflict"),
    Field("`a.json` beside `./a.json`, `a/b` beside `a//b` or `a/./b`", ALL, "same-path"),
    Field("a backslash where another name has a slash", ("bsdtar", "unzip"), "same-path"),
    Field("a backslash at the end of a name, with content", ("bsdtar", "unzip"), "directory-with-data"),
    Field("one name as UTF-8 with flag 11 and without it", ("unzip", "7z", "bsdtar", "Java", "Go"), "same-path"),
    Field("names that differ only in `;1` at the end, or in control bytes", ("unzip",), "same-path"),
    Field("names that differ only in their Unicode form", ("bsdtar",), "same-path"),
    Field("names that differ only in case or in dots at the end", (), "similar-name"),
)
"""That Java refuses a whole archive for what it could do without fails none: its user cannot miss that."""
