"""Says what a cell of a text table means, and which text a value becomes in one."""

import math
import re
from decimal import Decimal

from atomiton_runtime.values import Value, encode

Scalar = str | int | float | bool | None

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_SCIENTIFIC = re.compile(r"-?[1-9](?:\.[0-9]+)?e[+-][0-9]{2,3}")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER_BEGINS = frozenset("-0123456789")
_SURE_CHARS = 16
"""A decimal of 15 digits, its point included: a double keeps all of these."""

_ACTS = frozenset("=+-@\t\r\n＝＋－＠")
"""With these first, a spreadsheet program may take a text for a formula. Source: OWASP, "CSV Injection"."""


def inferred(text: str) -> Scalar:
    """Return the value that the text of a cell stands for; what is not surely something else stays text.

    An empty text is None. A number is one only if writing it down again loses nothing: `007`, `+5`, `1,5`, ` 5 `,
    `1e5`, `.5`, `NaN` and numbers with more digits than they can keep stay text. `1e+16` is a number: programs
    write that, people and serial numbers do not.
    """
    if not text:
        return None
    if text[0] not in _NUMBER_BEGINS:
        return _WORDS.get(text, text)
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return number if len(text) <= _SURE_CHARS or _kept(text, number) else text
    if _SCIENTIFIC.fullmatch(text):
        number = float(text)
        return number if _kept(text, number) else text
    return text


def cell_text(value: Value) -> str:
    """Return what stands in a text table for `value`; nested data becomes JSON.

    A text that a spreadsheet program could take for a formula gets an apostrophe in front; reading does not take
    it away. Texts that are numbers are left alone: they do no harm.

    Raises:
        ValueError: there is no text for it; the message says what it is.
    """
    match value:
        case None:
            return ""
        case str():
            return _harmless(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(finite(value))
        case bytes():
            raise ValueError("bytes, which a table cannot hold")
        case _:
            return nested_text(value)


def nested_text(value: Value) -> str:
    """Return a list or an object as JSON in one line."""
    return encode(value).decode()


def finite(number: float) -> float:
    """Return the number.

    Raises:
        ValueError: it is infinite or none.
    """
    if not math.isfinite(number):
        raise ValueError(f"{number}, which is no number that a table can hold")
    return number


def _harmless(text: str) -> str:
    if "\0" in text:
        raise ValueError("text with a NUL character, which a table cannot hold")
    if text and text[0] in _ACTS and isinstance(inferred(text), str):
        return f"'{text}"
    return text


def _kept(text: str, number: float) -> bool:
    return math.isfinite(number) and Decimal(repr(number)) == Decimal(text)
