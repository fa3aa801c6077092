"""Opens what a spreadsheet is read from, a file or data of another node, and finds out its format."""

import contextlib
import io
import os
from collections.abc import Generator
from typing import BinaryIO

import msgspec
from msgspec import UNSET

from atomiton_runtime.nodes import files
from atomiton_runtime.nodes.base import NodeContext, NodeError
from atomiton_runtime.nodes.ordering import kind_of
from atomiton_runtime.nodes.paths import resolved
from atomiton_runtime.nodes.workbook_formats import (
    MAX_FILE_BYTES,
    TEXT_FORMATS,
    container_of,
    format_of,
)

_HEAD_BYTES = 8
_OF_CONTAINER = {"zip": "a zip archive, as xlsx, xlsb and ods are", "ole": "a workbook of the kind of xls"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Something to read from."""

    file: BinaryIO
    """At its beginning; it can seek."""
    name: str
    """What messages call it: its path, or `data`."""
    format: str


@contextlib.contextmanager
def opened(path: str | None, data: object, wanted: str | None, context: NodeContext) -> Generator[Source]:
    """Give what is to be read, and close it.

    Args:
        path: of a file, as the author wrote it, or None; its extension or `wanted` is a format.
        data: text or bytes, instead of a path.
        wanted: the format, or None: by extension, and for `data` by content.
        context: of the attempt.

    Raises:
        NodeError: it is not in its format (SHEET-001), it is too large (FILE-013), or `data` is neither text nor
            bytes (DATA-001).
        OSError: as the system says.
    """
    if path is None:
        content = _bytes_of(data)
        kind = wanted or _format_by_content(content)
        with io.BytesIO(content) as file:
            yield _checked(Source(file=file, name="`data`", format=kind), len(content))
        return
    place = resolved(path, context.folder, "path")
    kind = wanted or format_of(path, "read")
    assert kind is not None
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        files.require_file(status, place)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield _checked(Source(file=file, name=str(place), format=kind), status.st_size)
    finally:
        os.close(descriptor)


def _bytes_of(data: object) -> bytes:
    match data:
        case bytes():
            return data
        case str():
            return data.encode("utf-8", "surrogatepass")
        case _:
            given = "missing" if data is UNSET else kind_of(data)
            hint = 'such as data = "{{ input }}" with `input` from a node that gives text or bytes'
            raise NodeError("DATA-001", f"`data` must be text or bytes, not {given}", hint=hint)


def _format_by_content(content: bytes) -> str:
    match container_of(content[:_HEAD_BYTES]):
        case "zip":
            import zipfile

            with contextlib.suppress(zipfile.BadZipFile, ValueError, OSError):
                names = set(zipfile.ZipFile(io.BytesIO(content)).namelist())
                return "xlsb" if "xl/workbook.bin" in names else "ods" if "content.xml" in names else "xlsx"
            return "xlsx"
        case "ole":
            return "xls"
        case None:
            return "csv"


def _checked(source: Source, size_bytes: int) -> Source:
    """Return the source.

    Raises:
        NodeError: it is empty or of another kind (SHEET-001), or too large (FILE-013).
    """
    if size_bytes == 0:
        raise NodeError("SHEET-001", f"{source.name} is empty: it has not one byte")
    if size_bytes > MAX_FILE_BYTES:
        message = f"{source.name} has {size_bytes} bytes, and only {MAX_FILE_BYTES} can be read into a value"
        raise NodeError("FILE-013", message, hint="let a program work on it: `shell-command`")
    head = source.file.read(_HEAD_BYTES)
    source.file.seek(0)
    container = container_of(head)
    if (container is None) != (source.format in TEXT_FORMATS):
        content = _OF_CONTAINER[container] if container else "no workbook's"
        hint = "set `format` to what it is" if container else 'format = "csv" reads text'
        message = f"{source.name} is not {source.format}: its content is {content}"
        raise NodeError("SHEET-001", message, hint=hint)
    return source
