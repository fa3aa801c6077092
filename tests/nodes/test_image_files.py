"""Files that are cut off, huge, or no images are refused with a reason, and never leave a result."""

import io
import os
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from atomiton_runtime.nodes import image_files
from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.gif_blocks import count_frames
from atomiton_runtime.nodes.image import Image as ImageType
from tests.doubles.attempts import executed, failure
from tests.doubles.studios import StudiosHere

MADE_ELSEWHERE = Path(__file__).with_name("images")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an image becomes does not depend on the process: see `test_image_process.py` for that."""
    monkeypatch.setattr(ImageType, "_own_studios", lambda _: StudiosHere())


def refused(folder: Path, name: str = "a", **written: Any) -> NodeError:
    """Return the error of converting a file; nothing must have been added to the folder."""
    before = sorted(folder.rglob("*"))
    error = failure("image", folder, operation="convert", path=name, **({"output": "new/out.png"} | written))
    assert before == sorted(folder.rglob("*"))
    return error


def converted(folder: Path, data: bytes, output: str = "out.tiff") -> bytes | str:
    """Return the pixels that a file with this content is converted to, or the code of its error."""
    (folder / "a").write_bytes(data)
    try:
        outputs = executed("image", folder, operation="convert", path="a", output=output)
    except NodeError as error:
        assert not (folder / output).exists()
        return error.code
    with Image.open(outputs["path"]) as image:
        pixels = image.tobytes()
    (folder / output).unlink()
    return pixels


def saved(image: Image.Image, plugin: str, **options: Any) -> bytes:
    """Return the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, plugin, **options)
    return stream.getvalue()


def noise(size: tuple[int, int] = (40, 30)) -> Image.Image:
    """Return an image that no format makes small."""
    return Image.merge("RGB", [Image.effect_noise(size, 80) for _ in range(3)])


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("GIF", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {}),
        ("GIF", {"save_all": True}),
        ("PNG", {"save_all": True}),
        ("WEBP", {"save_all": True}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Truncated File Read|Tag data larger than file:UserWarning")
def test_a_file_cut_off_anywhere_gives_nothing_or_everything(
    tmp_path: Path, plugin: str, options: dict[str, Any]
) -> None:
    """Whatever its length, a file without its end is an error, or all its pixels were there after all."""
    more = {"append_images": [noise(), noise()]} if options.get("save_all") else {}
    data = saved(noise(), plugin, **options, **more)
    output = f"out.{plugin.lower()}" if more else "out.tiff"
    whole = converted(tmp_path, data, output)
    assert isinstance(whole, bytes)
    step = max(1, len(data) // 60)
    lengths = {*range(0, len(data), step), *range(min(40, len(data))), *range(len(data) - 20, len(data))}

    for length in sorted(lengths):
        got = converted(tmp_path, data[:length], output)
        assert got in ("IMAGE-001", "IMAGE-002", whole), (length, len(data), got)
    assert [tmp_path / "a"] == list(tmp_path.iterdir())


@given(data=st.data())
def test_a_spoiled_file_is_an_image_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes that are changed anywhere lead to pixels or to a code, never to another exception."""
    folder = tmp_path_factory.mktemp("spoiled")
    name = data.draw(
        st.sampled_from(sorted(each.name for each in MADE_ELSEWHERE.glob("*.*") if each.suffix != ".md"))
    )
    content = bytearray((MADE_ELSEWHERE / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    got = converted(folder, bytes(content))

    assert isinstance(got, bytes) or got in ("IMAGE-001", "IMAGE-002", "IMAGE-003", "IMAGE-005", "IMAGE-008")


def png_of(width: int, height: int, pixels: bytes = b"") -> bytes:
    """Return a PNG whose header claims a size; what follows may be much less."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def gif_of(width: int, height: int, frames: int) -> bytes:
    """Return a GIF whose frames are much smaller than its canvas."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + screen + frame * frames + b"\x3b"


@pytest.mark.parametrize(
    ("data", "numbers"),
    [
        (png_of(30_000, 30_000), ("30000 x 30000 = 900000000", "80000000")),
        (png_of(2_000_000_000, 1), ("2000000000", "80000000")),
        (png_of(9000, 9000), ("9000 x 9000 = 81000000", "80000000")),
        (gif_of(60_000, 60_000, 1), ("60000 x 60000 = 3600000000", "80000000")),
        (gif_of(1000, 1000, 81), ("81 frames", "81000000")),
        (gif_of(1, 1, 90_000), ("80001 frames", "80001000")),
    ],
    ids=["both", "wide", "just over", "gif", "frames", "tiny frames"],
)
@pytest.mark.parametrize("operation", ["info", "convert", "overlay"])
def test_a_bomb_is_refused_by_its_header(
    tmp_path: Path, data: bytes, numbers: tuple[str, str], operation: str
) -> None:
    """Sizes are looked at before any pixel is decoded, as base and as layer; the message has the numbers."""
    (tmp_path / "a").write_bytes(data)
    noise().save(tmp_path / "b", "PNG")
    given: dict[str, Any] = {"path": "a"}
    if operation == "overlay":
        given = {"paths": ["b", "a"]}
    more = {} if operation == "info" else {"output": "out.gif"}
    error = failure("image", tmp_path, operation=operation, **given, **more)

    assert "IMAGE-003" == error.code
    assert all(number in error.message for number in numbers), error.message


@pytest.mark.parametrize(
    "written",
    [
        {"operation": "resize", "width": 65_535, "height": 65_535},
        {"operation": "resize", "width": 11_000},
        {"operation": "resize", "width": 60_000, "height": 10, "fit": "outside"},
        {"operation": "composite", "width": 65_535, "height": 65_535},
        {"operation": "overlay", "paths": ["a"], "width": 60_000},
    ],
    ids=str,
)
def test_a_result_may_not_be_a_bomb_either(tmp_path: Path, written: dict[str, Any]) -> None:
    """What would take too many pixels is refused before it takes any."""
    noise().save(tmp_path / "a", "PNG")

    assert "IMAGE-003" == failure("image", tmp_path, path="a", output="out.png", **written).code


def test_a_turned_image_needs_room_too(tmp_path: Path) -> None:
    """A long line grows to a large square."""
    Image.new("L", (60_000, 1)).save(tmp_path / "a", "PNG")

    error = failure("image", tmp_path, operation="rotate", path="a", angle=45, output="out.png")
    assert "IMAGE-003" == error.code


def test_frames_of_a_result_are_counted_together(tmp_path: Path) -> None:
    """A small animation may not become a large one."""
    frames = [noise((10, 10)) for _ in range(4)]
    (tmp_path / "a").write_bytes(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    error = failure("image", tmp_path, operation="resize", path="a", width=5000, output="out.gif")

    assert ("IMAGE-003", True) == (error.code, "its 4 frames" in error.message)


def test_a_format_that_cannot_hold_a_size_says_so(tmp_path: Path) -> None:
    """WebP ends at 16383 pixels."""
    Image.new("L", (20_000, 1)).save(tmp_path / "a", "PNG")
    error = refused(tmp_path, output="out.webp")

    assert ("IMAGE-005", True) == (error.code, "16383" in error.message)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"hello", "b'hello'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "%!PS"),
        (b"%PDF-1.7\n", "%PDF"),
        (b"SIMPLE  =                    T", "SIMPLE"),
        (b"P6 1 1 255 abc", "P6"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "<svg"),
        (b"\0\0\1\0\1\0", "it begins"),
    ],
)
def test_no_other_format_is_opened(tmp_path: Path, content: bytes, words: str) -> None:
    """Whatever else Pillow could read is refused with its first bytes and the path."""
    (tmp_path / "a").write_bytes(content)
    error = refused(tmp_path)

    assert ("IMAGE-001", True, True) == (
        error.code,
        words in error.message,
        str(tmp_path / "a") in error.message,
    )


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, a socket, a folder, a missing file, a secret one."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        codes = [refused(tmp_path, name).code for name in ("pipe", "socket", ".", "missing", "/dev/zero")]

    assert ["FILE-008", "FILE-008", "FILE-003", "FILE-001", "FILE-008"] == codes


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Its size alone is enough to refuse it."""
    with (tmp_path / "a").open("wb") as file:
        file.write(png_of(10, 10))
        file.truncate(image_files.MAX_FILE_BYTES + 1)

    assert "FILE-013" == refused(tmp_path).code


def test_pixels_without_a_white_are_refused(tmp_path: Path) -> None:
    """Nobody knows how bright a 32-bit number is."""
    Image.new("F", (4, 4), 3.5).save(tmp_path / "a", "TIFF")
    error = refused(tmp_path)

    assert ("IMAGE-008", True) == (error.code, "`path`" in error.message)


class Trap:
    """A cancel token that is set at the n-th look at it."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.token = CancelToken()
        self.raise_if_cancelled: Callable[[], None] = self._look

    def _look(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise NodeCancelledError


def test_cancel_between_frames_and_images_leaves_no_file_half_done(tmp_path: Path) -> None:
    """At each place where an attempt looks, it stops, and only results that were whole before are there."""
    (tmp_path / "a").write_bytes((MADE_ELSEWHERE / "animated.gif").read_bytes())
    (tmp_path / "b").write_bytes((MADE_ELSEWHERE / "animated.gif").read_bytes())
    cancelled = 0
    for looks in range(30):
        trap: Any = Trap(looks)
        try:
            executed(
                "image", tmp_path, operation="resize", paths=["a", "b"], width=5, output="out", cancel=trap
            )
        except NodeCancelledError:
            cancelled += 1
            for left in (tmp_path / "out").glob("*") if (tmp_path / "out").exists() else ():
                with Image.open(left) as image:
                    assert 3 == image.n_frames
        else:
            break
    assert 4 <= cancelled < 30
    assert ["a", "b"] == sorted(each.name for each in (tmp_path / "out").iterdir())


def test_many_threads_work_at_once(tmp_path: Path) -> None:
    """One node type serves all attempts; each gets its own result."""
    for index in range(8):
        Image.new("RGB", (20, 20), (index * 30, 0, 0)).save(tmp_path / f"{index}.png")
    failed: list[object] = []

    def work(index: int) -> None:
        for turn in range(5):
            name = f"out/{index}-{turn}.png"
            mark = {"text": "mark", "width": 15, "position": "bottom"}
            executed("image", tmp_path, operation="watermark", path=f"{index}.png", output=name, **mark)
            with Image.open(tmp_path / name) as image:
                if (index * 30, 0, 0) != image.getpixel((0, 0)):
                    failed.append(name)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed
    assert 40 == len(list((tmp_path / "out").iterdir()))


@pytest.mark.parametrize("name", ["animated.gif"])
def test_gif_blocks_are_counted_to_the_end(name: str) -> None:
    """A GIF without its trailer is not whole, nor one with something else between its blocks."""
    data = (MADE_ELSEWHERE / name).read_bytes()

    assert 3 == count_frames(io.BytesIO(data), most=9)
    assert 5 == count_frames(io.BytesIO(gif_of(4, 4, 5)), most=5)
    assert 4 == count_frames(io.BytesIO(gif_of(4, 4, 5)), most=3)
    for length in range(len(data)):
        with pytest.raises(EOFError):
            count_frames(io.BytesIO(data[:length]), most=9)
    with pytest.raises(ValueError, match="kind 0x77"):
        count_frames(io.BytesIO(data[:-1] + b"w;"), most=9)
    with pytest.raises(ValueError, match="no image"):
        count_frames(io.BytesIO(gif_of(4, 4, 0)), most=9)


def test_a_folder_that_refuses_is_named(tmp_path: Path) -> None:
    """A folder that may not be written to is named, not the image."""
    if os.geteuid() == 0:
        target = "/proc/new/out.png"
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        target = "closed/new/out.png"
    noise().save(tmp_path / "a", "PNG")
    error = failure("image", tmp_path, operation="convert", path="a", output=target)

    assert error.code in ("FILE-005", "FILE-001")
    assert "new" in error.message
