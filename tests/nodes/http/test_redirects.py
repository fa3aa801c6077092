"""What a redirect may take along depends on where it leads."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.http.redirects import is_trusted, next_url


@pytest.mark.parametrize(
    ("url", "target", "trusted"),
    [
        ("http://a.example/x", "http://a.example/y?z", True),
        ("http://a.example/", "http://a.example:80/", True),
        ("https://a.example/", "https://a.example:443/", True),
        ("http://a.example/", "https://a.example/", True),
        ("http://a.example:8080/", "https://a.example/", False),
        ("https://a.example/", "http://a.example/", False),
        ("http://a.example/", "http://a.example:81/", False),
        ("http://a.example/", "http://b.a.example/", False),
        ("http://a.example/", "https://b.example/", False),
    ],
)
def test_only_the_same_server_or_its_upgrade_is_trusted(url: str, target: str, trusted: bool) -> None:
    """Scheme, host and port are the same, or http became https at the usual ports."""
    assert trusted == is_trusted(httpx2.URL(url), httpx2.URL(target))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "http://a.example/b"),
        ("b?c=1#d", "http://a.example/x/b?c=1"),
        ("//b.example/", "http://b.example/"),
        ("https://u:p@b.example/", "https://b.example/"),
        ("/ü b", "http://a.example/%C3%BC%20b"),
    ],
)
def test_a_location_is_read_as_a_browser_does(location: str, target: str) -> None:
    """Relative places, other characters and users of the server's choice end up as a plain URL."""
    assert target == str(next_url(httpx2.URL("http://a.example/x/y"), 302, location))


@given(st.text(max_size=30) | st.from_regex(r"\A[a-z]{0,5}:?/{0,3}[\[\]a-z0-9.:@%-]{0,12}/?\Z"))
def test_whatever_a_server_sends_is_a_url_or_a_failure(location: str) -> None:
    """No location leads out of http and https, and none breaks anything."""
    code, target = "", None
    try:
        target = next_url(httpx2.URL("https://a.example/"), 307, location)
    except NodeError as error:
        code = error.code

    assert code in ("", "HTTP-013")
    assert target is None or (target.scheme in ("http", "https") and target.host and not target.userinfo)
