"""States what a process that works on images is asked, and what it answers.

A request is a line of JSON; so is its answer, which `size_bytes` bytes follow: the content of the file that was made.
Paths are written as the system has them, which may be no text.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.image_formats import FormatName
from atomiton_runtime.nodes.image_parameters import ImageParameters, Layer
from atomiton_runtime.nodes.listing import printable


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """An image to work on."""

    path: Path
    origin: str
    """Which of the author's words named it, such as `paths[3]`; for messages."""
    placement: Layer
    """What it says for itself, if it is a layer; its `path` says nothing."""


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """The first request of an attempt: what is the same for all of its images."""

    parameters: ImageParameters
    """Without paths: these are resolved where it is known which of them are allowed."""
    above: Sequence[Picture] = ()
    """What lies over the first image, or over each one as its mark."""
    font: Path | None = None
    """Absolute, or the name of an installed one."""


class Describe(msgspec.Struct, frozen=True, kw_only=True, tag="describe"):
    """What is this image? Only its header is read."""

    picture: Picture


class Work(msgspec.Struct, frozen=True, kw_only=True, tag="work"):
    """Make the file that becomes of an image."""

    picture: Picture
    format: FormatName | None
    """None: that of the image."""


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag="finish"):
    """The last request of an attempt: let go of what was kept for it."""


Request = Begin | Describe | Work | Finish


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is, or has become."""

    width: int
    height: int
    format: FormatName


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing was done."""

    code: str
    message: str
    hint: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to any request."""

    made: Made | None = None
    refused: Refusal | None = None
    said: Sequence[str] = ()
    """For the log of the run."""
    size_bytes: int = 0


def refusal(refused: Refusal) -> NodeError:
    """Return the error that a refusal is."""
    return NodeError(refused.code, refused.message, hint=refused.hint)


def about(picture: Picture, error: NodeError) -> NodeError:
    """Return the error with the words for which image it is about."""
    path = printable(str(picture.path))
    where = picture.origin if path in error.message else f"{picture.origin}, {path}"
    return NodeError(error.code, f"{where}: {error.message}", hint=error.hint)


def encoded_request(request: Request) -> bytes:
    """Return a request as a line."""
    return msgspec.json.encode(request, enc_hook=_path_as_hex) + b"\n"


def decoded_request(line: bytes) -> Request:
    """Return the request of a line."""
    return msgspec.json.decode(line, type=Request, dec_hook=_path_of_hex)


def _path_as_hex(path: Any) -> str:
    assert isinstance(path, Path)
    return os.fsencode(path).hex()


def _path_of_hex(_: type, written: str) -> Path:
    return Path(os.fsdecode(bytes.fromhex(written)))
