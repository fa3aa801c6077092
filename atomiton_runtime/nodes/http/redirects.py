"""Decides where a redirect leads, and what of the request goes along."""

import httpx2

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.http.secrecy import is_credential, shown_url

MAX_REDIRECTS = 20
_STATUSES = frozenset({301, 302, 303, 307, 308})
_OF_THE_BODY = frozenset({"content-type", "content-language", "content-encoding", "content-location"})


def next_url(url: httpx2.URL, status: int, location: str) -> httpx2.URL | None:
    """Return where an answer leads to; None: it is no redirect.

    Raises:
        NodeError: nobody should follow it (HTTP-013).
    """
    if status not in _STATUSES or not location:
        return None
    try:
        target = url.join(location)
        target = target.copy_with(fragment=None, userinfo=b"")
    except (httpx2.InvalidURL, ValueError, TypeError) as error:
        raise NodeError(
            "HTTP-013", f"answered {status} with a redirect to no URL: {shown_url(location)!r}"
        ) from error
    if target.scheme not in ("http", "https") or not target.host or target.port == 0:
        message = (
            f"answered {status} with a redirect to {shown_url(location)!r}, which is no http or https URL"
        )
        raise NodeError(
            "HTTP-013", message, hint="it is not followed; the server may not be what you think it is"
        )
    return target


def next_method(method: str, status: int) -> str:
    """Return the method of the request that follows an answer (RFC 9110, 15.4)."""
    if status == 303 and method != "HEAD":
        return "GET"
    return "GET" if status in (301, 302) and method == "POST" else method


def is_trusted(url: httpx2.URL, target: httpx2.URL) -> bool:
    """Return whether what was meant for `url` may go to `target`: the same server, or its upgrade to TLS."""
    same = (url.scheme, url.host, _port(url)) == (target.scheme, target.host, _port(target))
    upgraded = (url.scheme, _port(url), target.scheme, _port(target)) == ("http", 80, "https", 443)
    return same or (url.host == target.host and upgraded)


def kept_headers(headers: list[tuple[str, str]], *, trusted: bool, with_body: bool) -> list[tuple[str, str]]:
    """Return which headers go along: no credentials and no `host` to strangers, nothing about a body without one."""
    return [
        (name, value)
        for name, value in headers
        if (trusted or not (is_credential(name) or name.lower() == "host"))
        and (with_body or name.lower() not in _OF_THE_BODY)
    ]


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
