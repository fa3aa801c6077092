"""Bounds what an expression may cost, so that none can hang or exhaust the process."""

MAX_LENGTH = 10_000_000
"""Most characters of a text, or elements of a list, that an expression may create."""
MAX_STEPS = 10_000_000
"""Most elements one evaluation may visit in all its loops and filters (64 characters of a text count as one)."""
MAX_INTEGER_BITS = 4096
MAX_RANGE = 1_000_000
MAX_TEXT = 100_000
"""Most characters of an expression, or of a template with more than plain names in it."""
MAX_DEPTH = 100
"""Deepest nesting of an expression: parentheses, operators, filters."""
MAX_BLOCKS = 10
"""Deepest nesting of `{% for %}` and `{% if %}`."""

CHARACTERS_PER_STEP = 64


class Refused(Exception):
    """An expression asks for something that it cannot have; becomes an `ExpressionFailed` at the border."""

    def __init__(self, code: str, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.hint = hint


def too_large(what: str, limit: int = MAX_LENGTH) -> Refused:
    """Return the refusal of something larger than `limit`."""
    return Refused("EXPR-005", f"{what} would be larger than {limit:,}")


def check_length(length: int, what: str = "the result") -> None:
    """Refuse to create a text or list of more than `MAX_LENGTH` characters or elements.

    Raises:
        Refused: it is longer (EXPR-005).
    """
    if length > MAX_LENGTH:
        raise too_large(what)
