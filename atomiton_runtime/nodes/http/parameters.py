"""Declares what `http-request` takes."""

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta

from atomiton_runtime.nodes.scalars import Size

Scalar: TypeAlias = None | bool | int | float | str
Fields: TypeAlias = dict[str, Scalar | tuple[Scalar, ...]]
"""Name -> value or values: of a query, or of a form."""


class HttpRequestParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `http-request` takes."""

    url: Annotated[
        Annotated[str, Meta(min_length=1)],
        Meta(
            description=(
                "Where to ask: `http://` or `https://`. A user and password in it are used as `auth` and shown nowhere."
            )
        ),
    ]
    method: Annotated[
        Annotated[str, Meta(min_length=1)],
        Meta(description="GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or another that the server knows."),
    ] = "GET"
    query: Annotated[
        Fields,
        Meta(
            description=(
                "What is added to the URL after `?`, encoded as needed: a list repeats its name, null leaves it out."
            )
        ),
    ] = {}
    headers: Annotated[
        dict[str, Scalar],
        Meta(
            description=(
                "Headers to send. They replace those that are sent otherwise (`user-agent`, `accept`, "
                "`accept-encoding`, `content-type`); null leaves one out."
            )
        ),
    ] = {}
    json: Annotated[Any, Meta(description="Data to send as JSON.")] = UNSET
    form: Annotated[
        Fields | None,
        Meta(description="Fields to send as a web form does; a list repeats its name, null leaves it out."),
    ] = None
    body: Annotated[
        Any,
        Meta(
            description=(
                "Text or bytes to send as they are. Text is sent in UTF-8, or in the charset that your "
                "`content-type` header names."
            )
        ),
    ] = UNSET
    auth: Annotated[
        dict[str, str | int] | None,
        Meta(description="Who asks: `{ username, password }` (basic) or `{ token }` (bearer)."),
    ] = None
    follow_redirects: Annotated[
        bool,
        Meta(
            description=(
                "Whether the answer of another URL is fetched when the server says so, at most 20 times. `auth`, "
                "cookies and headers whose names speak of keys or tokens do not go to another server."
            )
        ),
    ] = True
    verify: Annotated[
        bool | str,
        Meta(
            description=(
                "Whose certificates are trusted: true: those this system trusts; false: all, so that anybody may "
                "listen; else the path of a file of certificates (PEM), and only those."
            )
        ),
    ] = True
    max_size: Annotated[
        Size, Meta(description="A body that is larger, before or after it is decompressed, fails the node.")
    ] = Size(50 * 1024 * 1024)
    check: Annotated[bool, Meta(description="True: a status of 400 or more fails the node.")] = True
