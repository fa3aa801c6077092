"""Makes a small .xlsb from nothing, because LibreOffice reads this format and does not write it.

    python xlsb.py TARGET

Source: [MS-XLSB], sections 2.1.4 (records) and 2.4 (BrtRowHdr, BrtCellReal and so on).
"""

import struct
import sys
import zipfile
from pathlib import Path

RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPES = "application/vnd.ms-excel"

ROWS = (
    ("kind", "value"),
    ("integer", 3),
    ("decimal", -2.5),
    ("true", True),
    ("unicode", "Zoë 東京 🎉"),
    ("empty", None),
    ("date", ("date", 45351.0)),
    ("error", ("error", 0x07)),
)


def record(kind: int, body: bytes = b"") -> bytes:
    """Return one record: its kind in one or two bytes, its length in seven bits a byte, its body."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length, size = bytearray(), len(body)
    while True:
        length.append(size & 0x7F | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            return head + bytes(length) + body


def text(value: str) -> bytes:
    """Return an XLWideString."""
    raw = value.encode("utf-16-le")
    return struct.pack("<I", len(raw) // 2) + raw


def cell(column: int, value: object) -> bytes:
    """Return the record of one cell."""
    head = struct.pack("<II", column, 0)
    match value:
        case None:
            return b""
        case bool():
            return record(4, head + bytes([value]))
        case int() | float():
            return record(5, head + struct.pack("<d", value))
        case ("date", serial):
            return record(5, struct.pack("<II", column, 1) + struct.pack("<d", serial))
        case ("error", code):
            return record(3, head + bytes([code]))
        case _:
            return record(6, head + text(str(value)))


def sheet() -> bytes:
    """Return sheet1.bin: BrtBeginSheet, BrtWsDim, the rows, and their ends."""
    rows = b"".join(
        record(0, struct.pack("<IIHBBBI", index, 0, 300, 0, 0, 0, 1) + struct.pack("<II", 0, 1))
        + b"".join(cell(column, value) for column, value in enumerate(row))
        for index, row in enumerate(ROWS)
    )
    size = record(148, struct.pack("<IIII", 0, len(ROWS) - 1, 0, 1))
    return record(129) + size + record(145) + rows + record(146) + record(130)


def styles() -> bytes:
    """Return styles.bin with two cell formats: general, and number format 14 (a date)."""
    font = record(
        43,
        struct.pack("<HHHHBBBB", 220, 0, 400, 0, 0, 0, 0, 0)
        + bytes([1, 0, 0, 0, 0, 0, 0, 0xFF, 0])
        + text("Arial"),
    )
    fill = record(45, struct.pack("<I", 0) + bytes(8) + bytes(8) + bytes(48))
    border = record(46, bytes(51))
    formats = b"".join(
        record(47, struct.pack("<HHHHHBBHBB", parent, number, 0, 0, 0, 0, 0, 0x1000, 0, 0)[:16])
        for parent, number in ((0, 0), (0, 14))
    )
    style = record(47, struct.pack("<HHHHHBBHBB", 0xFFFF, 0, 0, 0, 0, 0, 0, 0x1000, 0, 0)[:16])
    one = struct.pack("<I", 1)
    return (
        record(278)
        + record(611, one)
        + font
        + record(612)
        + record(603, one)
        + fill
        + record(604)
        + record(613, one)
        + border
        + record(614)
        + record(626, one)
        + style
        + record(627)
        + record(617, struct.pack("<I", 2))
        + formats
        + record(618)
        + record(279)
    )


def workbook() -> bytes:
    """Return workbook.bin with one sheet."""
    return (
        record(131)
        + record(143)
        + record(156, struct.pack("<II", 0, 1) + text("rId1") + text("Kinds"))
        + record(144)
        + record(132)
    )


def relationships(*targets: tuple[str, str]) -> str:
    """Return a .rels part: (kind, target) each."""
    lines = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{lines}</Relationships>'


def content_types() -> str:
    """Return [Content_Types].xml."""
    parts = {
        "/xl/workbook.bin": "sheet.binary.macroEnabled.main",
        "/xl/worksheets/sheet1.bin": "worksheet",
        "/xl/styles.bin": "styles",
    }
    lines = "".join(
        f'<Override PartName="{part}" ContentType="{TYPES}.{kind}"/>' for part, kind in parts.items()
    )
    rels = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    )
    binary = f'<Default Extension="bin" ContentType="{TYPES}.sheet.binary.macroEnabled.main"/>'
    return f'<Types xmlns="{PACKAGE}/content-types">{rels}{binary}{lines}</Types>'


def write(target: Path) -> None:
    """Write the workbook."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", content_types())
        archive.writestr("_rels/.rels", relationships(("officeDocument", "xl/workbook.bin")))
        archive.writestr("xl/workbook.bin", workbook())
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            relationships(("worksheet", "worksheets/sheet1.bin"), ("styles", "styles.bin")),
        )
        archive.writestr("xl/worksheets/sheet1.bin", sheet())
        archive.writestr("xl/styles.bin", styles())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
