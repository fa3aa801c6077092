"""Decompresses bodies as they come, in pieces of bounded size: a few bytes can stand for gigabytes."""

import zlib
from collections.abc import Iterable, Iterator, Sequence

from atomiton_runtime.nodes.base import NodeError

ACCEPTED = "gzip, deflate"
"""What a request says it can decode."""
PIECE_BYTES = 256 * 1024
_MAX_LAYERS = 4
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_NOTHING = frozenset({"identity", ""})


def decoded(chunks: Iterable[bytes], content_encoding: str) -> Iterator[bytes]:
    """Return the pieces of the body that `chunks` encode; none is larger than `PIECE_BYTES` when decompressed.

    Args:
        chunks: the body as it comes over the network.
        content_encoding: the header's value: encodings in the order in which they were applied; may be empty.

    Raises:
        NodeError: the encoding is unknown, or the data is not what it should be (HTTP-016).
    """
    names = [name for word in content_encoding.split(",") if (name := word.strip().lower()) not in _NOTHING]
    _require_known(names)
    pieces = iter(chunks)
    for name in reversed(names):
        pieces = _inflated(pieces, name)
    return pieces


def _require_known(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in ("gzip", "x-gzip", "deflate")]
    if unknown or len(names) > _MAX_LAYERS:
        what = f"in the encoding `{unknown[0]}`" if unknown else f"encoded {len(names)} times over"
        hint = f"the request asked for {ACCEPTED}, unless its headers say otherwise"
        raise NodeError("HTTP-016", f"the body came {what}, which cannot be decoded", hint=hint)


def _inflated(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    engine = None
    finished = False
    for chunk in _with_two_bytes(chunks):
        data = chunk
        # What follows a finished gzip member is another one (RFC 1952, 2.2) or, like after deflate, of no meaning.
        while data and not (finished and (name == "deflate" or data[0] != 0x1F)):
            engine = engine or zlib.decompressobj(_window_bits(name, data))
            finished = False
            try:
                piece = engine.decompress(data, PIECE_BYTES)
                while piece:
                    yield piece
                    piece = engine.decompress(engine.unconsumed_tail, PIECE_BYTES)
            except zlib.error as error:
                raise NodeError(
                    "HTTP-016", f"the body is not the {name} data it is said to be: {error}"
                ) from error
            finished, data = engine.eof, engine.unused_data
            engine = None if finished else engine
    if engine is not None:
        raise NodeError("HTTP-016", f"the body's {name} data ends too early", hint="the server cut it off")


def _window_bits(name: str, start: bytes) -> int:
    if name != "deflate":
        return _GZIP
    # Servers mean zlib data by `deflate`, as they should, or raw data, as its name says (RFC 9110, 8.4.1.2).
    is_zlib = start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0
    return _ZLIB if is_zlib else _RAW


def _with_two_bytes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same bytes, with at least two of them in the first chunk if there are as many."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= 2:
            break
    if first:
        yield first
    yield from chunks
