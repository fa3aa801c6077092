import msgspec
import pytest

from atomiton_runtime.cli.live.previews import output_words
from atomiton_runtime.cli.wording import size
from atomiton_runtime.values import encode


@pytest.mark.parametrize(
    ("words", "outputs"),
    [
        ("", {}),
        ("null", {"result": None}),
        ("42", {"result": 42, "count": 1}),
        ("one line two", {"stdout": "one line\n  two\n"}),
        ("2 rows: name, total", {"rows": [{"name": "Ada"}, {"total": 1}]}),
        ("1 row: a, b, c, d, e, f, g, h, i, j, k, l, ...", {"rows": [dict.fromkeys("abcdefghijklm", 1)]}),
        ('[{"a":1},2]', {"rows": [{"a": 1}, 2]}),
        ("[{}]", {"rows": [{}]}),
        ('[{"$bytes":"aGk="}]', {"rows": [b"hi"]}),
        ("2 bytes", {"result": b"hi"}),
        ("3.0 MiB, too long to show", {"result": {"$file": "/data/x", "size_bytes": 3 * 1024 * 1024}}),
        (
            "out/a.json, 315 bytes",
            {"result": "/flows/out/a.json", "path": "/flows/out/a.json", "size_bytes": 315},
        ),
        ("/tmp/a.png, 640 x 480", {"path": "/tmp/a.png", "width": 640, "height": 480, "format": "png"}),
        ("the text of it", {"result": "the text of it", "path": "/flows/a.txt", "size_bytes": 14}),
        (r"red \x1b[31m", {"stdout": "red \x1b[31m"}),
    ],
)
def test_what_came_out_in_a_few_words(words: str, outputs: dict[str, object]) -> None:
    """A table is told by its columns, a file by path and size, anything else by its beginning, harmless."""
    raw = {port: msgspec.Raw(encode(value)) for port, value in outputs.items()}
    assert words == output_words(raw, "/flows")


@pytest.mark.parametrize(
    ("words", "size_bytes"),
    [
        ("1 byte", 1),
        ("1023 bytes", 1023),
        ("1.0 KiB", 1024),
        ("10 KiB", 10 * 1024),
        ("1.0 MiB", 1024 * 1024 - 1),
        ("2.0 GiB", 2 * 1024**3),
        ("5000 TiB", 5000 * 1024**4),
    ],
)
def test_sizes(words: str, size_bytes: int) -> None:
    """A size has two or three digits and a unit."""
    assert words == size(size_bytes)
