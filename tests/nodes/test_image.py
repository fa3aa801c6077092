"""Images become what was asked for, in every format, and nothing half-done is left."""

import io
import itertools
import shutil
import stat
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image, ImageCms

from atomiton_runtime.nodes.image import Image as ImageType
from atomiton_runtime.nodes.image_formats import FORMATS, by_extension
from atomiton_runtime.nodes.image_parameters import ImageParameters, Operation
from tests.doubles.attempts import complaints, executed, failure, node_type
from tests.doubles.studios import StudiosHere

MADE_ELSEWHERE = Path(__file__).with_name("images")
RED, BLUE, LIME, WHITE = (255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 255)

ASKED: dict[str, dict[str, Any]] = {
    "resize": {"width": 12, "height": 12, "fit": "contain"},
    "thumbnail": {"width": 12},
    "crop": {"width": 10, "height": 8},
    "rotate": {"angle": 30},
    "convert": {},
    "overlay": {"paths": ["layer.png"], "position": "top-left"},
    "composite": {"paths": ["layer.png"], "width": 30, "height": 20},
    "blend": {"paths": ["layer.png"], "blend_mode": "multiply"},
    "watermark": {"mark": "layer.png"},
}
"""Operation -> parameters that do something to an image of 24 x 16."""

SIZES = {"resize": (12, 12), "thumbnail": (12, 8), "crop": (10, 8), "composite": (30, 20)}
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an image becomes does not depend on the process: see `test_image_process.py` for that."""
    monkeypatch.setattr(ImageType, "_own_studios", lambda _: StudiosHere())


def act(
    folder: Path, operation: str, path: str | None = "photo.png", value: Any = None, **written: Any
) -> dict:
    """Return the outputs of one operation."""
    given = {} if path is None else {"path": path}
    return executed("image", folder, value, operation=operation, **given, **written)


def refused(
    folder: Path, operation: str, path: str | None = "photo.png", value: Any = None, **written: Any
) -> Any:
    """Return the error of one operation."""
    given = {} if path is None else {"path": path}
    return failure("image", folder, value, operation=operation, **given, **written)


def halves(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    """Return an image whose left half is red and whose right half is blue, as far as the mode has colours."""
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1]))
    if mode == "I;16":
        gray = picture.convert("L")
        wide = Image.new("I;16", size)
        for x, y in itertools.product(range(size[0]), range(size[1])):
            wide.putpixel((x, y), int(gray.getpixel((x, y)) or 0) * 257)
        return wide
    return picture.convert(mode)


def looked_at(path: str | Path) -> Image.Image:
    """Return the image of a file, decoded, as RGBA."""
    with Image.open(path) as image:
        return image.convert("RGBA")


def near(expected: tuple[int, ...], pixel: Any, slack: int = 12) -> bool:
    """Return whether a pixel has a colour, but for what a lossy format makes of it."""
    return all(abs(a - b) <= slack for a, b in zip(expected, pixel, strict=False))


def files(folder: Path) -> list[str]:
    """Return all names below a folder."""
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*"))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("operation", [each for each in get_args(Operation) if each != "info"])
def test_every_operation_reads_and_writes_every_format(tmp_path: Path, operation: str, format: str) -> None:
    """An image of each format becomes one of each format, of the size that was asked for."""
    Image.new("RGBA", (6, 6), (0, 255, 0, 128)).save(tmp_path / "layer.png")
    source = FORMATS[format]
    for mode in ("L", "RGB") if not source.has_alpha else ("L", "RGB", "RGBA"):
        name = f"{mode}{source.extensions[0]}"
        halves(mode).save(tmp_path / name, source.plugin)
        outputs = act(
            tmp_path, operation, name, output=f"out/{mode}{source.extensions[0]}", **ASKED[operation]
        )
        with Image.open(outputs["path"]) as written:
            written.load()
            assert (outputs["width"], outputs["height"]) == written.size
            assert (source.plugin, outputs["format"]) == (written.format, format)
        if operation != "rotate":
            assert SIZES.get(operation, (24, 16)) == (outputs["width"], outputs["height"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", [each for each in get_args(Operation) if each != "info"])
def test_every_operation_takes_every_kind_of_pixel(tmp_path: Path, operation: str, mode: str) -> None:
    """Whatever the pixels of a TIFF are, they become those of a JPEG and a PNG."""
    Image.new("RGBA", (6, 6), (0, 255, 0, 128)).save(tmp_path / "layer.png")
    source = "photo.png" if mode == "P" else "photo.tiff"
    halves(mode).save(tmp_path / source)

    for output in ("out.jpg", "out.png"):
        outputs = act(tmp_path, operation, source, output=output, **ASKED[operation])
        assert (outputs["width"], outputs["height"]) == looked_at(outputs["path"]).size
    if operation == "convert":
        expected = [halves(mode if mode != "I;16" else "L").convert("RGB").getpixel((x, 8)) for x in (2, 21)]
        got = looked_at(outputs["path"])
        assert [near(each, got.getpixel((x, 8))) for each, x in zip(expected, (2, 21), strict=True)] == [
            True
        ] * 2


@pytest.mark.parametrize(
    ("position", "x", "y"),
    [(f"{b}-{a}" if "center" not in (a, b) else a if b == "center" else b, x, y)
     for (a, x), (b, y) in itertools.product(
         (("left", 1), ("center", 9), ("right", 17)), (("top", 1), ("center", 5), ("bottom", 9)))
     ],
)  # fmt: skip
def test_a_layer_goes_to_each_of_nine_places(tmp_path: Path, position: str, x: int, y: int) -> None:
    """The margin is kept from the edges that the place touches."""
    halves().save(tmp_path / "photo.png")
    Image.new("RGB", (6, 6), LIME).save(tmp_path / "layer.png")
    written = {"paths": ["layer.png"], "position": position, "margin": 1, "output": "out.png"}
    result = looked_at(act(tmp_path, "overlay", **written)["path"])
    lime = [
        place for place in itertools.product(range(24), range(16)) if result.getpixel(place) == (*LIME, 255)
    ]

    assert [(x, y), (x + 5, y + 5), 36] == [lime[0], lime[-1], len(lime)]


def test_crop_takes_the_part_that_was_named(tmp_path: Path) -> None:
    """By corner, or by place; to the edge where no size is given."""
    picture = halves()
    picture.save(tmp_path / "photo.png")
    for written, box in (
        ({"x": 10, "y": 2, "width": 4, "height": 5}, (10, 2, 14, 7)),
        ({"x": 10}, (10, 0, 24, 16)),
        ({"width": 4, "position": "right"}, (20, 0, 24, 16)),
        ({"width": 4, "height": 4}, (10, 6, 14, 10)),
        ({"width": 4, "height": 4, "position": "bottom-right", "x": -1, "y": -2}, (19, 10, 23, 14)),
        ({"width": 24, "height": 16}, (0, 0, 24, 16)),
    ):
        outputs = act(tmp_path, "crop", output="out.png", **written)
        assert picture.crop(box).convert("RGBA").tobytes() == looked_at(outputs["path"]).tobytes(), written


@pytest.mark.parametrize(
    "written",
    [
        {"x": 20, "y": 0, "width": 5},
        {"x": -1, "width": 5},
        {"width": 25},
        {"height": 17},
        {"x": 24},
        {"x": 100, "y": 100},
    ],
)
def test_crop_refuses_a_part_that_is_not_there(tmp_path: Path, written: dict[str, Any]) -> None:
    """No pixel is made up, and nothing is written."""
    halves().save(tmp_path / "photo.png")

    assert refused(tmp_path, "crop", output="out/a.png", **written).code == "IMAGE-004"
    assert files(tmp_path) == ["photo.png"]


def test_rotate_turns_clockwise_and_flips_first(tmp_path: Path) -> None:
    """A quarter turn moves the left side to the top; a flip before it, to the bottom."""
    halves().save(tmp_path / "photo.png")
    tops = {}
    for name, written in {
        "90": {"angle": 90},
        "-270": {"angle": -270},
        "450": {"angle": 450},
        "flip": {"angle": 90, "flip": "horizontal"},
    }.items():
        result = looked_at(act(tmp_path, "rotate", output="out.png", **written)["path"])
        assert (16, 24) == result.size
        tops[name] = result.getpixel((8, 2))[:3]

    assert {"90": RED, "-270": RED, "450": RED, "flip": BLUE} == tops


def test_a_tilted_image_has_corners_of_the_background(tmp_path: Path) -> None:
    """Transparent where the format can, white in a JPEG, or as said."""
    halves().save(tmp_path / "photo.png")
    corners = {
        output: looked_at(act(tmp_path, "rotate", angle=45, output=output, **more)["path"]).getpixel((0, 0))
        for output, more in (("a.png", {}), ("b.jpg", {}), ("c.png", {"background": "lime"}))
    }

    assert 0 == corners["a.png"][3]
    assert near(WHITE, corners["b.jpg"])
    assert (*LIME, 255) == corners["c.png"]


def test_transparency_on_jpeg_lies_on_the_background(tmp_path: Path) -> None:
    """White unless said; a half transparent background lies on white itself."""
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "photo.png")
    got = [
        looked_at(act(tmp_path, "convert", output="out.jpg", **more)["path"]).getpixel((8, 8))
        for more in ({}, {"background": "#f00"}, {"background": "#ff000080"}, {"background": "transparent"})
    ]

    assert [True] * 4 == [
        near(each, pixel) for each, pixel in zip((WHITE, RED, (255, 127, 127), WHITE), got, strict=True)
    ]


def test_a_thumbnail_is_never_larger(tmp_path: Path) -> None:
    """Neither in a large box, nor where it would cover one."""
    halves().save(tmp_path / "photo.png")
    for written, expected in (
        ({"width": 100, "height": 100}, (24, 16)),
        ({"width": 100}, (24, 16)),
        ({"width": 100, "height": 8, "fit": "cover"}, (24, 8)),
        ({"width": 8, "height": 8, "fit": "cover"}, (8, 8)),
        ({"width": 100, "height": 100, "fit": "fill"}, (24, 16)),
        ({"width": 40, "height": 40, "fit": "contain"}, (40, 40)),
    ):
        outputs = act(tmp_path, "thumbnail", output="out.png", **written)
        assert expected == (outputs["width"], outputs["height"]), written


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_the_thinnest_images_stay_images(tmp_path: Path, size: tuple[int, int]) -> None:
    """A side is never less than one pixel, whichever way they fit."""
    Image.new("RGB", size, RED).save(tmp_path / "photo.png")
    for fit in ("cover", "contain", "fill", "inside"):
        outputs = act(tmp_path, "resize", width=10, height=10, fit=fit, output="out.png")
        assert looked_at(outputs["path"]).getchannel("R").getextrema()[1] == 255


def test_exif_turns_are_done_and_its_words_are_not_passed_on(tmp_path: Path) -> None:
    """All eight orientations come out upright, without EXIF, comment or XMP: no place, no camera."""
    upright = halves()
    back = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    for orientation, turn in back.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010F] = "secret camera"
        exif.get_ifd(0x8825)[1] = "N"
        lying = upright if turn is None else upright.transpose(turn)
        lying.save(tmp_path / "photo.jpg", exif=exif, quality=95, comment=b"secret comment")
        seen = act(tmp_path, "info", "photo.jpg")
        for output in ("out.jpg", "out.png", "out.webp", "out.tiff", "out.avif"):
            outputs = act(tmp_path, "convert", "photo.jpg", output=output)
            data = Path(outputs["path"]).read_bytes()
            with Image.open(outputs["path"]) as result:
                assert result.getexif().get(0x0112, 1) == 1
                assert near(RED, result.convert("RGB").getpixel((2, 8)), 40), (orientation, output)
            assert (24, 16) == (outputs["width"], outputs["height"]) == (seen["width"], seen["height"])
            assert b"secret" not in data


@pytest.mark.parametrize(
    ("name", "size", "pixels"),
    [
        ("cmyk.jpg", (24, 16), {(2, 0): (255, 0, 0), (2, 15): (0, 0, 255)}),
        ("gray16.png", (24, 16), {(0, 0): (255, 255, 255), (0, 8): (119, 119, 119), (0, 15): (0, 0, 0)}),
        ("palette.png", (24, 16), {(2, 2): (255, 0, 0, 255), (20, 2): (0, 0, 0, 0)}),
        ("mono.png", (24, 16), {(2, 2): (255, 255, 255), (20, 2): (0, 0, 0)}),
        ("turned.tiff", (16, 24), {(8, 2): (255, 0, 0), (8, 22): (0, 0, 255)}),
        ("progressive.jpg", (24, 16), {(2, 2): (255, 0, 0), (20, 2): (0, 0, 255)}),
        ("pages.tiff", (24, 16), {(2, 2): (255, 0, 0)}),
        ("animated.gif", (24, 16), {(2, 2): (255, 0, 0, 255), (20, 2): (0, 0, 0, 0)}),
    ],
)
def test_files_of_another_program_are_understood(
    tmp_path: Path, name: str, size: tuple[int, int], pixels: dict[tuple[int, int], tuple[int, ...]]
) -> None:
    """CMYK, 16 bits, palettes, one bit, turned and progressive files show what they show elsewhere."""
    shutil.copy(MADE_ELSEWHERE / name, tmp_path)
    outputs = act(tmp_path, "convert", name, output="out.bmp", background="#00000000")
    result = looked_at(act(tmp_path, "convert", name, output="out.avif", quality=100)["path"])
    exact = looked_at(act(tmp_path, "rotate", name, angle=0, output="out.tif")["path"])

    assert size == (outputs["width"], outputs["height"]) == result.size
    assert dict.fromkeys(pixels, True) == {
        place: near(color, exact.crop((*place, place[0] + 1, place[1] + 1)).getpixel((0, 0)), 24)
        for place, color in pixels.items()
    }


@pytest.mark.parametrize("source", ["animated.gif", "animated.webp"])
@pytest.mark.parametrize("target", ["out.gif", "out.webp", "out.png", "out.avif"])
def test_an_animation_stays_one(tmp_path: Path, source: str, target: str) -> None:
    """Each frame is worked on, and its time and the number of plays are kept where the format has them."""
    shutil.copy(MADE_ELSEWHERE / source, tmp_path)
    outputs = act(tmp_path, "resize", source, width=48, output=target, **(
        {"quality": 100} if target.endswith(("webp", "avif")) else {}
    ))  # fmt: skip
    with Image.open(outputs["path"]) as result, Image.open(MADE_ELSEWHERE / source) as before:
        assert ((48, 32), 3) == (result.size, result.n_frames)
        for index, color in enumerate((RED, LIME, BLUE)):
            result.seek(index)
            result.load()
            frame = result.convert("RGBA")
            assert near(color, frame.getpixel((8 + 16 * index, 16)), 40)
            far = frame.getpixel((46 if index < 2 else 1, 16))
            before.seek(index)
            seen = before.convert("RGBA").getpixel((23 if index < 2 else 0, 8))
            # Pillow does not see where no frame of this GIF paints; browsers do.
            assert far[3] == 0 if source == "animated.gif" else near(seen, far, 40)
            if source == "animated.gif":
                assert 200 == result.info["duration"]
        if source == target.replace("out", "animated"):
            assert before.info["loop"] == result.info["loop"]


def test_a_gif_made_from_an_apng_plays_as_often(tmp_path: Path) -> None:
    """Plays are counted differently: a GIF says how often to repeat, and nothing for once."""
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, LIME, BLUE)]
    for plays in (0, 1, 2):
        frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], loop=plays, duration=50)
        outputs = act(tmp_path, "convert", "a.png", output="a.gif")
        with Image.open(outputs["path"]) as result:
            assert {0: 0, 1: None, 2: 1}[plays] == result.info.get("loop")
        again = act(tmp_path, "convert", "a.gif", output="b.png")
        with Image.open(again["path"]) as result:
            assert (plays, 50, 3) == (result.info["loop"], result.info["duration"], result.n_frames)


def test_an_image_for_those_who_know_no_animation_is_not_part_of_it(tmp_path: Path) -> None:
    """The separate first image of an APNG is its still, and no frame."""
    frames = [Image.new("RGB", (8, 8), color) for color in (WHITE, RED, LIME)]
    frames[0].save(
        tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=True, duration=50
    )
    moving = act(tmp_path, "convert", "a.png", output="a.gif")
    still = act(tmp_path, "convert", "a.png", output="a.bmp")

    with Image.open(moving["path"]) as result:
        assert (2, RED) == (result.n_frames, result.convert("RGB").getpixel((1, 1)))
    assert (*WHITE, 255) == looked_at(still["path"]).getpixel((1, 1))


def test_pages_stay_pages_each_of_its_size(tmp_path: Path) -> None:
    """A TIFF's pages are no animation; the first one is what another format gets."""
    shutil.copy(MADE_ELSEWHERE / "pages.tiff", tmp_path)
    outputs = act(tmp_path, "resize", "pages.tiff", width=6, output="out.tiff")

    with Image.open(outputs["path"]) as result:
        sizes = []
        for index in range(result.n_frames):
            result.seek(index)
            sizes.append(result.size)
    assert [(6, 4), (6, 18)] == sizes
    assert (6, 4) == (outputs["width"], outputs["height"])
    with Image.open(act(tmp_path, "convert", "pages.tiff", output="out.gif")["path"]) as result:
        assert 1 == result.n_frames


def swapped_profile() -> bytes:
    """Return an RGB profile whose red is sRGB's blue, and the other way round."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    rows = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, blue = (bytes(profile[rows[name] + 4 : rows[name] + 12]) for name in (b"rXYZ", b"bXYZ"))
    profile[rows[b"rXYZ"] + 4 : rows[b"rXYZ"] + 12] = blue
    profile[rows[b"bXYZ"] + 4 : rows[b"bXYZ"] + 12] = red
    return bytes(profile)


def test_a_colour_profile_is_kept_or_obeyed(tmp_path: Path) -> None:
    """Where it fits it goes along; where it cannot, the colours become what it says they are."""
    profile = swapped_profile()
    halves().save(tmp_path / "photo.png", icc_profile=profile)
    for output, more, kept in (
        ("out.jpg", {}, True),
        ("out.png", {}, True),
        ("out.webp", {}, True),
        ("out.tiff", {}, True),
        ("out.avif", {}, True),
        ("out.bmp", {}, False),
        ("out.gif", {}, False),
    ):
        outputs = act(tmp_path, "convert", output=output, **more)
        with Image.open(outputs["path"]) as result:
            assert (profile if kept else None) == result.info.get("icc_profile"), output
            assert near(RED if kept else BLUE, result.convert("RGB").getpixel((2, 8)), 40), output
    marked = looked_at(act(tmp_path, "watermark", mark="photo.png", width=2, output="out.png")["path"])
    assert near(BLUE, marked.getpixel((2, 8)))
    gray = looked_at(act(tmp_path, "convert", grayscale=True, output="out.png")["path"])
    assert near((29, 29, 29), gray.getpixel((2, 8)), 3)


@pytest.mark.parametrize(
    "profile", [b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_profile_that_does_not_fit_is_left_out(tmp_path: Path, profile: bytes) -> None:
    """A broken profile, or one for other pixels, spoils no picture."""
    halves().save(tmp_path / "photo.png", icc_profile=profile)
    with Image.open(act(tmp_path, "convert", output="out.png")["path"]) as result:
        assert (None, RED) == (result.info.get("icc_profile"), result.getpixel((2, 2)))


def test_the_resolution_is_kept(tmp_path: Path) -> None:
    """What prints at 300 dpi still does."""
    halves().save(tmp_path / "photo.png", dpi=(300, 300))
    for output in ("out.jpg", "out.png", "out.tiff", "out.bmp"):
        with Image.open(act(tmp_path, "convert", output=output)["path"]) as result:
            assert [300, 300] == [round(each) for each in result.info["dpi"]]


def test_last_of_all_come_gray_blur_and_sharpening(tmp_path: Path) -> None:
    """Each changes what it should, and leaves transparency alone."""
    picture = halves("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 24, 8))
    picture.save(tmp_path / "photo.png")
    gray = looked_at(act(tmp_path, "convert", grayscale=True, output="a.png")["path"])
    blurred = looked_at(act(tmp_path, "convert", blur=2, output="b.png")["path"])
    sharp = looked_at(act(tmp_path, "convert", sharpen=3, output="c.png")["path"])

    assert ((76, 76, 76, 255), 0) == (gray.getpixel((2, 12)), gray.getpixel((2, 2))[3])
    assert 100 < blurred.getpixel((12, 12))[0] < 155
    assert near(RED, blurred.getpixel((2, 7))), "no dark seam where it fades out"
    assert 0 < blurred.getpixel((2, 7))[3] < 255
    assert picture.getchannel("A").tobytes() == sharp.getchannel("A").tobytes()


def test_quality_makes_smaller_or_better_files(tmp_path: Path) -> None:
    """It is heard by the formats that know it."""
    Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / "photo.png")
    for extension in ("jpg", "webp", "avif"):
        sizes = [
            Path(act(tmp_path, "convert", output=f"a.{extension}", quality=quality)["path"]).stat().st_size
            for quality in (5, 95)
        ]
        assert sizes[0] * 2 < sizes[1]


@pytest.mark.parametrize("operation", ["overlay", "composite"])
def test_layers_may_speak_for_themselves(tmp_path: Path, operation: str) -> None:
    """A layer's own place, size, opacity and mode come before the node's."""
    Image.new("RGB", (24, 16), WHITE).save(tmp_path / "photo.png")
    Image.new("RGB", (4, 4), RED).save(tmp_path / "layer.png")
    layers = [
        {"path": "layer.png", "x": 1, "y": 1},
        {"path": "layer.png", "position": "bottom-right", "width": 2, "opacity": 0.5},
        {"path": "layer.png", "position": "top-right", "blend_mode": "difference"},
    ]
    result = looked_at(act(tmp_path, operation, paths=layers, output="out.png")["path"])

    assert [(*RED, 255), (255, 127, 127, 255), (0, 255, 255, 255), (*WHITE, 255)] == [
        tuple(result.getpixel(place)) for place in ((1, 1), (23, 15), (23, 0), (12, 8))
    ] or near((255, 127, 127), result.getpixel((23, 15)), 2)
    assert (*WHITE, 255) == result.getpixel((21, 15))


def test_blend_brings_layers_to_the_size_of_the_base(tmp_path: Path) -> None:
    """It stretches, unless `fit` says otherwise; opacity alone mixes."""
    Image.new("RGB", (24, 16), (0, 0, 0)).save(tmp_path / "photo.png")
    Image.new("RGB", (2, 2), WHITE).save(tmp_path / "layer.png")
    half = looked_at(act(tmp_path, "blend", paths=["layer.png"], opacity=0.5, output="a.png")["path"])
    inside = looked_at(
        act(tmp_path, "blend", paths=["layer.png"], blend_mode="screen", fit="contain", output="b.png")[
            "path"
        ]
    )

    assert [(384, (128, 128, 128, 255))] == half.getcolors()
    assert [(*WHITE, 255), (0, 0, 0, 255)] == [inside.getpixel((12, 8)), inside.getpixel((1, 1))]


def test_composite_puts_images_on_a_canvas(tmp_path: Path) -> None:
    """Its size, its background and the fit of all layers; a single image will do."""
    Image.new("RGB", (4, 4), RED).save(tmp_path / "photo.png")
    plain = looked_at(act(tmp_path, "composite", width=8, height=6, output="a.png")["path"])
    fitted = looked_at(
        act(tmp_path, "composite", width=8, height=6, fit="contain", background="lime", output="b.png")[
            "path"
        ]
    )

    assert [(0, 0, 0, 0), (*RED, 255)] == [plain.getpixel((0, 0)), plain.getpixel((4, 3))]
    assert [(*LIME, 255), (*RED, 255)] == [fitted.getpixel((0, 3)), fitted.getpixel((1, 3))]


def ink(image: Image.Image, background: int = 128) -> tuple[int, int, int, int]:
    """Return the box of what differs from a gray background."""
    found = image.convert("L").point([255 * (level != background) for level in range(256)]).getbbox()
    assert found
    return found


def test_text_marks_where_and_as_large_as_asked(tmp_path: Path) -> None:
    """It keeps the margin, fits its box, and is legible on white and on black."""
    Image.new("RGB", (400, 300), (128, 128, 128)).save(tmp_path / "photo.png")
    mark = {"text": "© Ada Lovelace", "output": "out.png"}
    usual = ink(looked_at(act(tmp_path, "watermark", **mark)["path"]))
    wide = ink(
        looked_at(act(tmp_path, "watermark", width=300, position="top-left", margin=5, **mark)["path"])
    )
    lines = ink(looked_at(act(tmp_path, "watermark", **(mark | {"text": "one\ntwo"}))["path"]))

    assert 388 <= usual[2] <= 390
    assert 288 <= usual[3] <= 290
    assert (5, 5) <= wide[:2] <= (8, 8)
    assert 285 <= wide[2] - wide[0] <= 300
    assert 30 < lines[3] - lines[1] <= 48
    for color in ((0, 0, 0), WHITE):
        Image.new("RGB", (400, 300), color).save(tmp_path / "photo.png")
        low, high = looked_at(act(tmp_path, "watermark", **mark)["path"]).convert("L").getextrema()
        assert high - low > 80


def test_text_is_drawn_whole_or_refused(tmp_path: Path) -> None:
    """A character that the font lacks is named; so are a wrong font and a lack of room."""
    Image.new("RGB", (400, 300), WHITE).save(tmp_path / "photo.png")
    (tmp_path / "font.ttf").write_text("no font")
    for written, words in (
        ({"text": "Привет"}, "'П' (U+041F)"),
        ({"text": " \n "}, "nothing that could be seen"),
        ({"text": "a", "font": "font.ttf"}, "font.ttf is no font"),
        ({"text": "a", "font": "no-such-font.ttf"}, "no-such-font.ttf is no font"),
        ({"text": "a", "font": "fonts/no.ttf"}, "no.ttf does not exist"),
        ({"text": "a", "font": "."}, "is a folder"),
        ({"text": "x" * 200, "width": 50}, "no room"),
    ):
        error = refused(tmp_path, "watermark", output="out/a.png", **written)
        assert words in error.message, error.message
        assert error.code in ("IMAGE-009", "FILE-001", "FILE-003")
    assert files(tmp_path) == ["font.ttf", "photo.png"]


def test_an_image_marks_and_is_not_enlarged_unasked(tmp_path: Path) -> None:
    """A mark larger than the image is made to fit, and another stays as it is."""
    Image.new("RGB", (60, 60), WHITE).save(tmp_path / "photo.png")
    for side, more, expected in ((4, {}, 4), (4, {"width": 20}, 20), (400, {}, 56), (400, {"margin": 0}, 60)):
        Image.new("RGBA", (side, side), (0, 0, 0, 255)).save(tmp_path / "mark.png")
        result = looked_at(act(tmp_path, "watermark", mark="mark.png", output="out.png", **more)["path"])
        box = ink(result, 255)
        assert (expected, expected) == (box[2] - box[0], box[3] - box[1])
        assert (102, 102, 102, 255) == result.getpixel((30, 30) if side == 400 else (box[0], box[1]))


def test_a_name_without_format_is_complained_about() -> None:
    """What does not fit together is said before anything runs."""
    for toml, words in (
        ('operation="convert"\npath="a"\noutput="b"', "format is unknown"),
        ('operation="convert"\npath="a"\noutput="b.txt"', "format is unknown"),
        ('operation="convert"\npath="a"\noutput="b.png"\nformat="webp"', "ends as png does"),
        ('operation="convert"\npath="a"\noutput="b.png"\nquality=3', "png has no `quality`"),
        ('operation="convert"\npath="a"\noutput="b/"\nformat="gif"\nquality=3', "gif has no `quality`"),
        ('operation="convert"\npath="a"', "needs `output`"),
        ('operation="convert"\npath="a"\npaths=["b"]\noutput="c/"', "not both"),
        ('operation="resize"\npath="a"\noutput="b.png"', "needs `width` or `height`"),
        ('operation="crop"\npath="a"\noutput="b.png"', "needs `width`"),
        ('operation="rotate"\npath="a"\noutput="b.png"', "needs `angle` or `flip`"),
        ('operation="overlay"\npath="a"\noutput="b.png"', "needs `paths`"),
        ('operation="blend"\npaths=["a","b"]\noutput="b.png"', "needs `blend_mode` or `opacity`"),
        ('operation="watermark"\npath="a"\noutput="b.png"', "needs `text` or `mark`"),
        ('operation="watermark"\npath="a"\noutput="b.png"\ntext="a"\nmark="b"', "not both"),
        ('operation="watermark"\npath="a"\noutput="b.png"\nmark="b"\ncolor="red"', "`color` is for `text`"),
        ('operation="watermark"\npath="a"\noutput="b.png"\ntext="b"\ncolor="rde"', 'no colour "rde"'),
        ('operation="convert"\npath="a"\noutput="b.png"\nbackground="#12345"', 'no colour "#12345"'),
        ('operation="convert"\npaths=[{path="a", x=1}]\noutput="b/"', "does not use `x` of `paths[0]`"),
        ('operation="convert"\npaths=[{path="a", xx=1}]\noutput="b/"', "no parameter `paths[0].xx`"),
        ('operation="info"\npath="a"\nblur=1', "`info` does not use `blur`"),
        ('operation="convert"\npath="a"\noutput="b.png"\nwidth=1', "does not use `width`"),
        ('operation="resize"\npath="a"\noutput="b.png"\nwidth=0', "`width` must"),
        ('operation="overlay"\npaths=["a"]\noutput="b.png"\nblend_mode="hue"', "`blend_mode` must be"),
    ):
        messages = [complaint.message for complaint in complaints("image", toml)]
        assert any(words in message for message in messages), (toml, messages)
    for toml in (
        'operation="convert"\noutput="b"',
        'operation="convert"\npaths=["a", {path="b", size_bytes=3}]\noutput="b"',
        'operation="convert"\npath="a"\noutput="{{ vars.x }}"\nquality=3',
        'operation="{{ vars.x }}"\npath="a"',
        'operation="overlay"\npaths="{{ input }}"\noutput="b.JPG"\nquality=3',
    ):
        assert not complaints("image", toml), toml


def test_several_images_give_lists(tmp_path: Path) -> None:
    """By `paths` or by the input; in a folder, under their names, with the extension of `format`."""
    for name in ("a.png", "b.PNG", "c"):
        halves(size=(24 + ord(name[0]), 16)).save(tmp_path / name, "PNG")
    named = act(tmp_path, "convert", None, paths=["a.png", {"path": "b.PNG"}, "c"], format="jpeg", output="x")
    listed = executed("file-system", tmp_path, operation="list", path=".", pattern="*.[pP][nN][gG]")["result"]
    same = act(tmp_path, "convert", None, listed, output="y/")
    none = act(tmp_path, "convert", None, [], output="z")
    infos = act(tmp_path, "info", None, ["c", "a.png"])

    assert [str(tmp_path / "x" / name) for name in ("a.jpg", "b.jpg", "c.jpg")] == named["path"]
    assert ([121, 122, 123], [16] * 3, ["jpeg"] * 3) == (named["width"], named["height"], named["format"])
    assert [str(tmp_path / "y" / name) for name in ("a.png", "b.PNG")] == same["path"]
    assert {"path": [], "width": [], "height": [], "format": []} == none
    assert [123, 121] == infos["width"]
    assert not (tmp_path / "z").exists()


def test_one_image_may_come_as_the_input(tmp_path: Path) -> None:
    """A path, or an object with one; then outputs are no lists."""
    halves().save(tmp_path / "photo.png")
    for value in ("photo.png", {"path": "photo.png", "name": "x", "type": "file", "size_bytes": 1}):
        assert 24 == act(tmp_path, "info", None, value)["width"]
    assert (
        str(tmp_path / "out/photo.webp")
        == act(tmp_path, "convert", None, "photo.png", output="out/", format="webp")["path"]
    )
    layers = act(tmp_path, "overlay", None, ["photo.png", "photo.png"], output="out.png")
    assert str(tmp_path / "out.png") == layers["path"]


@pytest.mark.parametrize(
    ("operation", "value", "written", "code", "words"),
    [
        ("info", None, {}, "DATA-001", "no image"),
        ("info", 3, {}, "DATA-001", "the input must be a path"),
        ("info", [3], {}, "DATA-001", "item 0 of the input"),
        ("info", {"file": "a"}, {}, "DATA-001", "does not name an image"),
        ("info", "", {}, "FILE-007", "the input"),
        ("info", ["photo.png", "no.png"], {}, "FILE-001", "item 1 of the input"),
        ("info", ["photo.png", "text.png"], {}, "IMAGE-001", "item 1 of the input"),
        ("info", ["."], {}, "FILE-003", "item 0 of the input"),
        ("convert", ["photo.png", "sub/photo.png"], {"output": "x"}, "IMAGE-006", "item 0"),
        (
            "convert",
            ["photo.png", "photo.jpg"],
            {"output": "x", "format": "png"},
            "IMAGE-006",
            "both be written",
        ),
        ("convert", [{"path": "photo.png", "opacity": 1}], {"output": "x"}, "DATA-001", "`opacity`"),
        ("convert", "photo.png", {"output": "x"}, "PARAM-007", "format is unknown"),
        ("convert", "photo.png", {"output": "x.png", "format": "gif"}, "PARAM-007", "ends as png"),
        ("convert", "photo.png", {"output": "x.png", "quality": 3}, "PARAM-007", "no `quality`"),
        ("overlay", ["photo.png"], {"output": "x.png"}, "IMAGE-007", "a base and at least one layer"),
        ("overlay", ["photo.png", "text.png"], {"output": "x.png"}, "IMAGE-001", "item 1"),
        ("overlay", ["photo.png", "no.png"], {"output": "x.png"}, "FILE-001", "item 1"),
        ("composite", [], {"output": "x.png"}, "IMAGE-007", "none"),
        ("watermark", "photo.png", {"mark": "no.png", "output": "x.png"}, "FILE-001", "no.png"),
        ("convert", "photo.png", {"output": "text.png/x.png"}, "FILE-004", "text.png"),
        ("convert", "photo.png", {"output": "sub/sub.png"}, "FILE-003", "sub.png"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, operation: str, value: Any, written: dict[str, Any], code: str, words: str
) -> None:
    """Each refusal has its code, says which image, and leaves nothing."""
    halves().save(tmp_path / "photo.png")
    (tmp_path / "text.png").write_text("I am a text")
    (tmp_path / "sub" / "sub.png").mkdir(parents=True)
    before = files(tmp_path)

    error = refused(tmp_path, operation, None, value, **written)

    assert (code, True) == (error.code, words in error.message), error.message
    assert before == files(tmp_path)


def test_an_image_may_be_replaced_by_its_result(tmp_path: Path) -> None:
    """It is read whole before, keeps its permissions, and a link to it stays a link."""
    halves().save(tmp_path / "photo.png")
    (tmp_path / "photo.png").chmod(0o640)
    (tmp_path / "link.png").symlink_to("photo.png")
    act(tmp_path, "resize", "link.png", width=12, output="link.png")

    assert (12, 8) == looked_at(tmp_path / "photo.png").size
    assert (0o640, True) == (
        stat.S_IMODE((tmp_path / "photo.png").stat().st_mode),
        (tmp_path / "link.png").is_symlink(),
    )
    assert ["link.png", "photo.png"] == files(tmp_path)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"operation": "info", "path": "a.png"}, True),
        ({"operation": "convert", "path": "a.png", "output": "b.png"}, True),
        ({"operation": "convert", "path": "a.png", "output": "a.png"}, False),
        ({"operation": "convert", "path": "x/../A.png", "output": "./a.png"}, False),
        ({"operation": "convert", "path": "a.png", "output": "/elsewhere/a.png"}, False),
        ({"operation": "convert", "path": "~/a.png", "output": "/elsewhere/a.png"}, False),
        ({"operation": "convert", "path": "~/a.png", "output": "/elsewhere/b.png"}, True),
        ({"operation": "convert", "path": "a.png", "output": "./"}, False),
        ({"operation": "convert", "path": "a.png", "output": "./", "format": "jpeg"}, True),
        ({"operation": "convert", "path": "a.png", "output": "out/"}, True),
        ({"operation": "convert", "paths": ["in/a.png", {"path": "b.png"}], "output": "in"}, False),
        ({"operation": "convert", "paths": ["in/a.png", "b.png"], "output": "out"}, True),
        ({"operation": "convert", "paths": ["a/b/x.png", "b/x.png"], "output": "b"}, False),
        ({"operation": "convert", "output": "out/"}, False),
        ({"operation": "overlay", "paths": ["a.png", "b.png"], "output": "b.png"}, False),
        ({"operation": "overlay", "paths": ["a.png", "b.png"], "output": "c.png"}, True),
        ({"operation": "watermark", "path": "a.png", "mark": "b.png", "output": "b.png"}, False),
    ],
    ids=str,
)
def test_what_may_be_done_twice(written: dict[str, Any], expected: bool) -> None:
    """Not what replaces its own source, nor what may do so for all that is known."""
    catalogued = node_type("image")
    more = {"overlay": {}, "watermark": {}, "convert": {}, "info": {}}[written["operation"]]
    prepared = catalogued.prepare(written | more)

    assert isinstance(prepared, ImageParameters)
    assert expected == catalogued.node_type.may_repeat(prepared)
    assert ("reads" if written["operation"] == "info" else "writes") == catalogued.node_type.effect(prepared)


def test_formats_are_told_by_content_and_named_by_extension(tmp_path: Path) -> None:
    """A wrong extension deceives nobody, and every extension leads to its format."""
    halves().save(tmp_path / "photo.jpg", "PNG")

    assert "png" == act(tmp_path, "info", "photo.jpg")["format"]
    assert "jpeg" == act(tmp_path, "convert", "photo.jpg", output="o.JPE")["format"]
    for known in FORMATS.values():
        assert [known] * len(known.extensions) == [
            by_extension(f"a{each.upper()}") for each in known.extensions
        ]


def test_a_lone_surrogate_in_a_name_does_not_travel(tmp_path: Path) -> None:
    """A name that is no UTF-8 is worked on, and shown with a sign for what it is not."""
    name = b"ph\xff.png".decode("utf-8", "surrogateescape")
    buffer = io.BytesIO()
    halves().save(buffer, "PNG")
    (tmp_path / name).write_bytes(buffer.getvalue())

    assert str(tmp_path / "ph\ufffd.png") == act(tmp_path, "info", name)["path"]
