"""Turns what an expression gives into data, and data into text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from atomiton_runtime.flow.limits import Refused, check_length
from atomiton_runtime.flow.lookup import kind_of
from atomiton_runtime.values import Value, encode


def plain_value(value: object) -> Value:
    """Return a copy of `value` as data: tuples and ranges become lists, texts of other classes plain ones.

    Raises:
        Refused: it holds a method, or something else that is no data (EXPR-009).
    """
    kind = type(value)
    if kind is str or value is None or kind is bool or kind is int or kind is float or kind is bytes:
        return cast(Value, value)
    if isinstance(value, dict | Mapping):
        entries = cast("Mapping[object, object]", value).items()
        return {_text_key(key): plain_value(entry) for key, entry in entries}
    if isinstance(value, list | tuple | range):
        return [plain_value(entry) for entry in cast("Sequence[object]", value)]
    return _strange(value)


def _text_key(key: object) -> str:
    if isinstance(key, str):
        return str(key)
    raise Refused("EXPR-009", f"the keys of an object are texts, not {kind_of(key)}")


def _strange(value: object) -> str:
    shown = str(value)  # what is missing raises here, and says what
    if isinstance(value, str):
        return shown
    if callable(value):
        raise Refused("EXPR-009", "a method is not data", "call it: `x.upper()`")
    raise Refused("EXPR-009", f"a {type(value).__name__} is not data")


def to_text(value: object) -> str:
    """Return how `value` looks inside a text: true/false, numbers, compact JSON for lists and objects.

    Raises:
        Refused: it is null or bytes, which must not vanish into a text unseen, or no data (EXPR-009).
    """
    if type(value) is str:
        return value
    if value is None:
        hint = "say what null becomes: `{{ x or '' }}` or `{{ x | tojson }}`"
        raise Refused("EXPR-009", "null cannot be part of a text", hint)
    if isinstance(value, bytes | bytearray):
        raise Refused("EXPR-009", "bytes cannot be part of a text")
    if type(value) is int:
        return str(value)
    plain = plain_value(value)
    text = plain if isinstance(plain, str) else encode(plain).decode()
    check_length(len(text), "the text")
    return text


def joined(parts: Iterable[object], between: str = "") -> str:
    """Return the texts of `parts` one after the other.

    Raises:
        Refused: one has no text (EXPR-009), or the whole is too large (EXPR-005).
    """
    texts = [to_text(part) for part in parts]
    check_length(sum(map(len, texts)) + len(between) * len(texts), "the text")
    return between.join(texts)
