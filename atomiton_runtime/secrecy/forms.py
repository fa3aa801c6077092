"""Answers in which spellings a secret may turn up in what programs print and servers answer."""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

MIN_CHARS = 4
"""A shorter text is found everywhere, so that hiding it would hide everything, and tell what it is."""
_MIN_LINE_CHARS = 8


def forms(secret: str) -> frozenset[str]:
    """Return the spellings of `secret` to look for.

    The text itself, its lines, and both as base64 (at each of the three places a byte can have in it), hexadecimal,
    and as quoted for URLs, JSON, Python, HTML and shells.
    """
    lines = (line.strip() for line in secret.splitlines())
    texts = {secret, secret.strip(), *(line for line in lines if len(line) >= _MIN_LINE_CHARS)}
    return frozenset(form for text in texts for form in _spellings(text) if len(form) >= MIN_CHARS)


def _spellings(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogateescape")
    yield text
    yield from _base64(raw)
    yield raw.hex()
    yield raw.hex().upper()
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    for escaped in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        yield escaped[1:-1]
        yield json.dumps(escaped)[3:-3]  # JSON within JSON
        yield escaped[1:-1].replace("/", "\\/")
    yield repr(text)[1:-1]
    yield repr(raw)[2:-1]
    yield html.escape(text)
    yield html.escape(text, quote=False)
    yield shlex.quote(text).removeprefix("'").removesuffix("'")
    yield text.replace("'", "'\\''")
    yield re.sub(r"([^A-Za-z0-9_@%+=:,./-])", r"\\\1", text)  # as `printf %q` writes it
    yield re.sub(r'(["$`\\!])', r"\\\1", text)  # within double quotes


def _base64(raw: bytes) -> Iterator[str]:
    """Yield the characters of base64 that depend on `raw` alone, whatever stands before and behind it."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).decode()
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        yield whole[first:last]
        yield whole[first:last].replace("+", "-").replace("/", "_")
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode()
