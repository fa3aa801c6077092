"""Is the code of a `python` node, and where it is written."""

from collections.abc import Sequence

import msgspec


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be executed."""

    code: str | bytes
    """The text of `code`, or the bytes of `file`, whose encoding Python finds out itself."""
    file: str
    """Where it is written."""
    lines: Sequence[int] = ()
    """The line of `file` of each line of the code; none: they are the same."""
    function: str
