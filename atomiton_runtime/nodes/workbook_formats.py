"""Knows the formats of spreadsheets: by extension, by the first bytes, and what limits them all."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Literal, get_args

Format = Literal["csv", "tsv", "xlsx", "xls", "xlsb", "ods"]

FORMATS: tuple[str, ...] = get_args(Format)
TEXT_FORMATS: Mapping[str, str] = {"csv": ",", "tsv": "\t"}
"""Format -> what separates its values unless `delimiter` says so."""
WRITTEN = ("csv", "tsv", "xlsx")

MAX_ROWS = 1_048_576
"""Rows of a workbook's sheet."""
MAX_FILE_BYTES = 256 * 1024 * 1024
"""A larger file is not read, and no more text is taken out of one."""
MAX_CELLS = 10_000_000
"""More cells than these are not read into a value."""

_READ_ALIKE: Mapping[str, Format] = {
    "tab": "tsv",
    "xlsm": "xlsx",
    "xltx": "xlsx",
    "xltm": "xlsx",
    "xlt": "xls",
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def format_of(path: str, operation: str) -> str | None:
    """Return the format that the extension of `path` means to `operation`, or None."""
    extension = PurePath(path.strip()).suffix.lstrip(".").lower()
    if extension in FORMATS:
        return extension
    return _READ_ALIKE.get(extension) if operation == "read" else None


def container_of(head: bytes) -> Literal["zip", "ole"] | None:
    """Return what a file with these first 8 bytes is packed in: workbooks are, text is not."""
    if head.startswith(_ZIP):
        return "zip"
    return "ole" if head.startswith(_OLE) else None
