"""Makes workbooks that a spreadsheet program would not: damaged, lying, or far too large."""

import io
import struct
import zipfile
from collections.abc import Mapping

from xlsxwriter import Workbook

_SHEET = "xl/worksheets/sheet1.xml"
_MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def xlsx(*rows: list[object]) -> bytes:
    """Return a sound workbook with one sheet `Data`."""
    made = io.BytesIO()
    with Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Data")
        for index, row in enumerate(rows):
            sheet.write_row(index, 0, row)
    return made.getvalue()


def with_sheet(rows: str, prolog: str = "") -> bytes:
    """Return a workbook whose sheet has this XML for its rows."""
    xml = f'{prolog}<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return with_parts({_SHEET: xml.encode()})


def with_parts(parts: Mapping[str, bytes]) -> bytes:
    """Return a workbook with some of its parts replaced, or added."""
    sound = zipfile.ZipFile(io.BytesIO(xlsx(["a"])))
    return zipped({**{name: sound.read(name) for name in sound.namelist()}, **parts})


def zipped(parts: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of these parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def saying(archive: bytes, part: str, size_bytes: int) -> bytes:
    """Return the archive with another size in the directory's entry of a part than it really has."""
    at = archive.rindex(b"PK\x01\x02", 0, archive.rindex(part.encode()))
    return archive[: at + 24] + struct.pack("<I", size_bytes) + archive[at + 28 :]


def ods(rows: str) -> bytes:
    """Return an OpenDocument workbook with this XML for the rows of its only sheet."""
    names = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text")
    )
    body = f'<office:body><office:spreadsheet><table:table table:name="Data">{rows}</table:table>'
    content = f"<office:document-content {names}>{body}</office:spreadsheet></office:body></office:document-content>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
    manifest = f'<manifest:manifest xmlns:manifest="{_MANIFEST}">{entry}</manifest:manifest>'
    parts = {"mimetype": kind, "content.xml": content, "META-INF/manifest.xml": manifest}
    return zipped({name: part.encode() for name, part in parts.items()}, zipfile.ZIP_STORED)
