"""Compressed data comes out as it went in, however the network cut it, and in small pieces."""

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.http.decoding import PIECE_BYTES, decoded


def raw_deflate(data: bytes) -> bytes:
    """Return deflate data without a header."""
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


ENCODERS = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "gzip, deflate": lambda data: zlib.compress(gzip.compress(data)),
    "deflate, GZIP": lambda data: gzip.compress(raw_deflate(data)),
}


@given(
    encoding=st.sampled_from(sorted(ENCODERS)),
    data=st.binary(max_size=400) | st.integers(0, 2 * PIECE_BYTES).map(bytes),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_what_was_encoded_is_decoded(encoding: str, data: bytes, cuts: list[int]) -> None:
    """Encoding, cutting anywhere and decoding changes nothing, and no piece is large."""
    encoded = ENCODERS[encoding](data)
    places = [0, *sorted(cuts), len(encoded)]
    chunks = [encoded[start:end] for start, end in pairwise(places)]
    pieces = list(decoded(chunks, encoding))

    assert data == b"".join(pieces)
    assert encoding in ("", "identity") or max(map(len, pieces), default=0) <= PIECE_BYTES


@given(
    encoding=st.sampled_from(["gzip", "deflate"]),
    members=st.lists(st.binary(max_size=40), min_size=1, max_size=4),
    keep=st.floats(0, 1),
    size=st.integers(1, 30),
)
def test_what_is_cut_off_is_never_taken_for_all(
    encoding: str, members: list[bytes], keep: float, size: int
) -> None:
    """The beginning of compressed data is an error, unless it ends where a member of it ends."""
    parts = [ENCODERS[encoding](member) for member in members[: None if encoding == "gzip" else 1]]
    whole = b"".join(parts)
    cut = whole[: int(len(whole) * keep)]
    ends = [sum(map(len, parts[:count])) for count in range(len(parts) + 1)]
    chunks = [cut[place : place + size] for place in range(0, len(cut), size)]
    if len(cut) in ends:
        assert b"".join(members[: ends.index(len(cut))]) == b"".join(decoded(chunks, encoding))
    else:
        with pytest.raises(NodeError, match="too early"):
            list(decoded(chunks, encoding))


def test_what_follows_the_data_is_of_no_meaning() -> None:
    """Some servers pad; that is no second member, and no fault."""
    assert list(decoded([gzip.compress(b"abc") + b"\0\0", b"\0"], "gzip")) == [b"abc"]
    assert list(decoded([zlib.compress(b"abc"), b"more"], "deflate")) == [b"abc"]


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", ", ".join(["gzip"] * 5)])
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    """An encoding that is unknown, or applied too often, is named."""
    with pytest.raises(NodeError) as caught:
        decoded([b"x"], encoding)

    assert caught.value.code == "HTTP-016"
