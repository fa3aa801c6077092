"""The web as the examples of node types know it: a proxy on 127.0.0.1 that answers for every host itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from atomiton_runtime.nodes.base import Reply
from tests.doubles.fault_server import Client, FaultServer, answer

_PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def without_proxies(patch: pytest.MonkeyPatch) -> None:
    """Take the developer's proxies out of the environment."""
    for name in _PROXY_NAMES:
        patch.delenv(name, raising=False)
        patch.delenv(name.upper(), raising=False)


@contextmanager
def example_web(replies: Mapping[str, Reply]) -> Iterator[None]:
    """Answer requests for http URLs as `replies` say (`METHOD URL` -> reply), and all others with 599.

    Without replies there is no server.
    """
    if not replies:
        yield
        return

    def behave(client: Client) -> None:
        request = client.read_request()
        reply = replies.get(f"{request.method} {request.target}")
        if reply is None:
            client.send(answer(f"unexpected: {request.method} {request.target}", "599 Unexpected"))
        elif reply.to is not None and reply.to.encode() != request.body:
            client.send(answer(f"unexpected body: {request.body!r}", "599 Unexpected"))
        else:
            body = b"" if request.method == "HEAD" else reply.body.encode()
            client.send(answer(body, f"{reply.status} Example", reply.headers))

    with pytest.MonkeyPatch.context() as patch, FaultServer(behave) as server:
        without_proxies(patch)
        patch.setenv("http_proxy", server.url)
        yield
