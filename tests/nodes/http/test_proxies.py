"""Proxies come from the environment, as every other program understands it."""

import httpx2
import pytest

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.http.proxies import proxy_for
from tests.doubles.example_web import without_proxies

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "url", "used"),
    [
        ({}, "http://a.example/", None),
        ({"HTTP_PROXY": PROXY}, "http://a.example/", PROXY),
        ({"http_proxy": "proxy.example:3128"}, "http://a.example/", PROXY),
        ({"HTTP_PROXY": PROXY}, "https://a.example/", None),
        ({"https_proxy": PROXY}, "https://a.example/", PROXY),
        ({"ALL_PROXY": PROXY}, "https://a.example/", PROXY),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.example"}, "http://a.example/", None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.example"}, "http://b.a.example/", None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.example"}, "http://b.example/", PROXY),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.example:81"}, "http://a.example:81/", None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.example:81"}, "http://a.example/", PROXY),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "x, 10.0.0.0/8"}, "http://10.1.2.3/", None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, "http://11.1.2.3/", PROXY),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "*"}, "http://a.example/", None),
        ({"HTTP_PROXY": PROXY}, "http://127.0.0.1:8000/", None),
        ({"HTTP_PROXY": PROXY}, "http://[::1]/", None),
        ({"HTTP_PROXY": PROXY}, "http://localhost/", None),
    ],
)
def test_the_environment_decides(
    environment: dict[str, str], url: str, used: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which proxy a URL goes through, if any; never one for this machine itself."""
    without_proxies(monkeypatch)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(httpx2.URL(url))

    assert used == (None if proxy is None else str(proxy))


@pytest.mark.parametrize("value", ["socks5://u:s3cret@x:1", "http://", "http://u:s3cret@[::1"])
def test_a_proxy_that_cannot_be_used_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of another kind, or none at all, fails instead of being passed by; its password is not shown."""
    without_proxies(monkeypatch)
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(NodeError) as caught:
        proxy_for(httpx2.URL("http://a.example/"))

    assert caught.value.code == "HTTP-017"
    assert "s3cret" not in caught.value.message
