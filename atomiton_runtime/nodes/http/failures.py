"""Says what an answer with an error status means, and when to ask again."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.http.answer import Answer, beginning
from atomiton_runtime.nodes.http.secrecy import masked
from atomiton_runtime.nodes.http.sending import Request

MAX_RETRY_AFTER_S = 3600.0
"""A server that asks for a longer pause gets this one: a run should not wait for a day."""
SHOWN_CHARS = 300
_HINTS = {
    401: "the server wants to know who asks: `auth`",
    403: "may this user do this? Look at `auth`",
    404: "is the path of `url` as it should be?",
    405: "the server knows the URL, but not with this `method`",
    407: "the proxy wants to know who asks: http://USER:PASSWORD@HOST in HTTP_PROXY",
    415: "the server wants the body in another form: `json`, `form`, `body`, or `headers.content-type`",
    429: "`retry` waits as long as the server asks for",
    503: "`retry` waits as long as the server asks for",
}
_HINT = "with check = false, the status is an output and no failure"


def named(error: NodeError, request: Request) -> NodeError:
    """Return the same error, beginning with the request that it is about, and with nothing that is secret."""
    message = masked(f"{request}: {error.message}", request.secrets)
    return NodeError(error.code, message, hint=error.hint, retry_after_s=error.retry_after_s)


def status_failure(request: Request, answer: Answer, *, now_s: float) -> NodeError:
    """Return the failure that a status of 400 or more is (HTTP-010), with the beginning of the body."""
    said = beginning(answer, SHOWN_CHARS)
    status = f"{answer.status} {answer.reason or _reason(answer.status)}".strip()
    message = f"{request} answered {status}{f': {said}' if said else ''}"
    pause_s = retry_after_s(answer.header("retry-after"), now_s=now_s)
    hint = _HINTS.get(answer.status, _HINT)
    return NodeError("HTTP-010", masked(message, request.secrets), hint=hint, retry_after_s=pause_s)


def retry_after_s(value: str, *, now_s: float) -> float | None:
    """Return the pause that a `Retry-After` header asks for, at most an hour; None: it asks for none.

    Args:
        value: seconds, or a date of HTTP (RFC 9110, 10.2.3); may be empty.
        now_s: the time, in seconds since 1970.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        asked_for = parsedate_to_datetime(text)
        # One of its three forms (asctime) names no zone: they are all in UTC.
        pause_s = (asked_for if asked_for.tzinfo else asked_for.replace(tzinfo=UTC)).timestamp() - now_s
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(pause_s, 0.0), MAX_RETRY_AFTER_S)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
