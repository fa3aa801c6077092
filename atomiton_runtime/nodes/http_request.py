"""Is the node type `http-request`."""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.base import (
    Effect,
    Example,
    NodeContext,
    NodeError,
    NodeType,
    Outside,
    Port,
    Reply,
)
from atomiton_runtime.nodes.http.checks import request_complaints
from atomiton_runtime.nodes.http.names import Names
from atomiton_runtime.nodes.http.parameters import HttpRequestParameters
from atomiton_runtime.nodes.http.secrecy import shown_url
from atomiton_runtime.values import Value, preview

if TYPE_CHECKING:
    from atomiton_runtime.nodes.http.resolver import Resolver

CONNECT_S = 30.0
"""So long a connection may take to be made, where the node has no `timeout`."""
SILENCE_S = 120.0
"""So long a server may say nothing, where the node has no `timeout`."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT = _READS | {"PUT", "DELETE"}
_CUSTOMERS = '[{"name": "Ada", "total": 12}]'


class HttpRequest(NodeType):
    """Sends a request to a web server and returns its answer.

    `body` depends on the answer's content type: `application/json` and `...+json` give the data; text (also XML,
    YAML, JavaScript) is decoded by its declared charset, a byte order mark, or as UTF-8, and comes as bytes
    where it is none of these; everything else comes as bytes. No body, or an empty one, is null.

    A request that fails with 429 or 503 and is repeated by `retry` waits as long as `Retry-After` says, an hour at
    most. Without a `timeout`, connecting may take 30 seconds, and a server may be silent for 120; with one, it alone
    counts. Proxies come from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY. Cookies are kept for the redirects of
    one request, and no longer.
    """

    name = "http-request"
    ports = (
        Port("body", "The body: data of JSON, a text, bytes, or null for none."),
        Port("status", "The status as a number, such as 200; with `check = false` also 404."),
        Port(
            "headers",
            "The headers of the answer, names in lower case; repeated ones joined by a comma and a space, but "
            "`set-cookie` always a list.",
        ),
        Port("url", "Where the answer came from, after all redirects."),
    )
    Parameters = HttpRequestParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Fetch data",
            toml='url = "http://shop.example/customers"\nquery = { active = true, city = ["Bern", "Zürich"] }',
            replies={
                "GET http://shop.example/customers?active=true&city=Bern&city=Z%C3%BCrich": Reply(
                    headers={"content-type": "application/json"}, body=_CUSTOMERS
                )
            },
            outputs={"body": [{"name": "Ada", "total": 12}], "status": 200},
        ),
        Example(
            title="Send data as JSON, and say who sends it",
            toml=(
                'method = "POST"\nurl = "http://shop.example/orders"\njson = { item = "{{ input.item }}", count = 2 }\n'
                "auth = { token = \"{{ 'abc' ~ 123 }}\" }"
            ),
            input={"item": "tea", "key": "k-17"},
            replies={
                "POST http://shop.example/orders": Reply(
                    status=201,
                    headers={"content-type": "application/json", "location": "/orders/7"},
                    body='{"id": 7}',
                    to='{"item":"tea","count":2}',
                )
            },
            outputs={"body": {"id": 7}, "status": 201},
        ),
        Example(
            title="Fill in a form",
            toml='method = "POST"\nurl = "http://shop.example/login"\nform = { user = "ada", stay = true }',
            replies={
                "POST http://shop.example/login": Reply(status=204, to="user=ada&stay=true"),
            },
            outputs={"body": None, "status": 204},
        ),
        Example(
            title="A page that has moved",
            toml='url = "http://shop.example/old"',
            replies={
                "GET http://shop.example/old": Reply(status=301, headers={"location": "/new"}),
                "GET http://shop.example/new": Reply(headers={"content-type": "text/plain"}, body="hi"),
            },
            outputs={"body": "hi", "url": "http://shop.example/new"},
        ),
        Example(
            title="Is it there?",
            toml='method = "HEAD"\nurl = "http://shop.example/tea.png"\ncheck = false',
            replies={"HEAD http://shop.example/tea.png": Reply(status=404)},
            outputs={"body": None, "status": 404},
        ),
        Example(
            title="A page that is not there",
            toml='url = "http://shop.example/nowhere"',
            replies={"GET http://shop.example/nowhere": Reply(status=404, body="no such page")},
            error="HTTP-010",
        ),
        Example(
            title="JSON that is none",
            toml='url = "http://shop.example/broken"',
            replies={
                "GET http://shop.example/broken": Reply(
                    headers={"content-type": "application/json"}, body='{"id": 7'
                )
            },
            error="HTTP-014",
        ),
        Example(
            title="More than was expected",
            toml='url = "http://shop.example/film"\nmax_size = "1KiB"',
            replies={"GET http://shop.example/film": Reply(body="x" * 1025)},
            error="HTTP-011",
        ),
        Example(title="Only the web", toml='url = "file:///etc/passwd"', error="HTTP-001"),
        Example(
            title="A header cannot hold two lines",
            toml='url = "http://shop.example/"\nheaders = { x-name = "Ada\\r\\nx-role: admin" }',
            error="PARAM-003",
        ),
        Example(
            title="One body is enough",
            toml='method = "POST"\nurl = "http://shop.example/"\njson = 1\nbody = "1"',
            error="PARAM-007",
        ),
    )

    def __init__(self, names: Names | None = None) -> None:
        """Declare the type; `names` is asked for the addresses of hosts, instead of this system."""
        self._names = names
        self._resolver: Resolver | None = None
        self._lock = threading.Lock()

    def effect(self, parameters: HttpRequestParameters) -> Effect:
        """Return `reads` for GET, HEAD and OPTIONS, `writes` for all others."""
        return "reads" if parameters.method.upper() in _READS else "writes"

    def outside(self, parameters: HttpRequestParameters, context: NodeContext) -> Outside:
        """Return the request in words: what a server would answer, nobody can know before."""
        del context
        return Outside(does=preview(f"{parameters.method.upper()} {shown_url(parameters.url)}"))

    def may_repeat(self, parameters: HttpRequestParameters) -> bool:
        """Return whether a second request asks for nothing that the first did not (RFC 9110, 9.2.2)."""
        return parameters.method.upper() in _IDEMPOTENT

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return what no request can be made of."""
        return request_complaints(parameters)

    def execute(self, parameters: HttpRequestParameters, context: NodeContext) -> dict[str, Value]:
        """Send the request and return what was answered."""
        context.cancel.raise_if_cancelled()
        # httpx2 is loaded here, by the first request: starting the program does not wait for it.
        from atomiton_runtime.nodes.http.answer import body_value, header_values
        from atomiton_runtime.nodes.http.exchange import Limits, exchange
        from atomiton_runtime.nodes.http.failures import named, status_failure
        from atomiton_runtime.nodes.http.sending import request_of
        from atomiton_runtime.nodes.http.trust import trusting

        request = request_of(parameters)
        patient = context.timeout_s is not None
        limits = Limits(
            follow_redirects=parameters.follow_redirects,
            max_size=parameters.max_size,
            whole_errors=not parameters.check,
            connect_s=math.inf if patient else CONNECT_S,
            silence_s=math.inf if patient else SILENCE_S,
        )
        answer = exchange(
            request,
            limits,
            context.cancel,
            trust=lambda: trusting(parameters.verify, context.folder),
            names=self._names or self._own_names(),
        )
        if parameters.check and answer.status >= 400:
            raise status_failure(request, answer, now_s=time.time())
        try:
            body = body_value(answer)
        except NodeError as error:
            raise named(error, request) from error
        return {
            "body": body,
            "status": answer.status,
            "headers": header_values(answer.headers),
            "url": answer.url,
        }

    def close(self) -> None:
        """End the process that looks up names."""
        if self._resolver is not None:
            self._resolver.close()

    def _own_names(self) -> "Resolver":
        # Loaded here for the same reason as httpx2.
        from atomiton_runtime.nodes.http.resolver import Resolver

        with self._lock:
            if self._resolver is None:
                self._resolver = Resolver()
            return self._resolver
