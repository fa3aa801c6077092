"""Keeps what proves who is asking out of messages."""

import re
from collections.abc import Iterable

_CREDENTIAL = re.compile(r"auth|cookie|token|secret|key|password|passwd|session|credential|signature")
_USER = re.compile(r"(?<=//)[^/?#]*@")
_SHOWN_CHARS = 120
_MASK = "***"


def is_credential(header: str) -> bool:
    """Return whether a header is one that proves who is asking, as far as its name tells."""
    return _CREDENTIAL.search(header.lower()) is not None


def shown_url(url: str) -> str:
    """Return a URL for a message: without user and password, and without the query, which may hold a key."""
    place, mark, _ = _USER.sub(f"{_MASK}@", url).partition("?")
    place = place.partition("#")[0]
    if len(place) > _SHOWN_CHARS:
        place = f"{place[: _SHOWN_CHARS - 1]}…"
    return f"{place}?…" if mark else place


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every one of `secrets` replaced: servers like to repeat what they were sent."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if secret:
            text = text.replace(secret, _MASK)
    return text
