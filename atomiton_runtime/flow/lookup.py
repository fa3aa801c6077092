"""Answers what `a.b` and `a[b]` mean in an expression: keys and places, never Python's attributes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import cast

from atomiton_runtime.flow.limits import Refused, check_length

TEXT_METHODS = frozenset(
    {
        "capitalize", "casefold", "count", "endswith", "find", "isalnum", "isalpha", "isdecimal", "isdigit",
        "islower", "isnumeric", "isspace", "isupper", "lower", "lstrip", "partition", "removeprefix",
        "removesuffix", "replace", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
        "swapcase", "title", "upper",
    }
)  # fmt: skip
"""What may be called on a text: `item.name.upper()`."""
MAPPING_HINTS = {
    "items": "write `x | items`: `x.items` is the key `items`",
    "keys": "write `x | keys`: `x.keys` is the key `keys`",
    "values": "write `x | values`: `x.values` is the key `values`",
    "get": "write `x.name | default(...)`: `x.get` is the key `get`",
}
"""Python's methods that authors try, and what to write instead."""

_KIND_NAMES = {
    "NoneType": "null",
    "bool": "a boolean",
    "int": "an integer",
    "float": "a number",
    "str": "a text",
    "bytes": "bytes",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object",
}


class TextMethod:
    """A method of a text, ready to be called."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name

    def __call__(self, *arguments: object) -> object:
        """Call it, if what it makes is not too large."""
        if self.name == "replace" and len(arguments) >= 2:
            old, new, *most = arguments
            return replaced(self.text, str(old), str(new), *cast("list[int]", most))
        method = cast("Callable[..., object]", getattr(self.text, self.name))
        return method(*arguments)


def kind_of(value: object) -> str:
    """Return how messages call the kind of `value`: `a text`, `an object`, `null`."""
    return _KIND_NAMES.get(type(value).__name__, "an object" if isinstance(value, Mapping) else "a value")


def closest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that looks most like `wrong`, or None."""
    # difflib's time grows with the square of the lengths; nobody mistypes a name of 100 characters.
    close = get_close_matches(wrong[:100], list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """Return the hint that names the closest of `known`, or None."""
    meant = closest(wrong, known)
    return f"did you mean `{meant}`?" if meant else None


def attribute(value: object, name: str) -> object:
    """Return what `value.name` means: the key of an object, or a method of a text.

    Raises:
        Refused: there is no such thing (EXPR-004).
    """
    if isinstance(value, Mapping):
        return _key(cast("Mapping[object, object]", value), name)
    if isinstance(value, str) and name in TEXT_METHODS:
        return TextMethod(str(value), name)
    if name in cast("tuple[str, ...]", getattr(type(value), "_fields", ())):  # of `groupby`
        return getattr(value, name)
    raise Refused("EXPR-004", f"{kind_of(value)} has no key `{name}`", _attribute_hint(value, name))


def _attribute_hint(value: object, name: str) -> str | None:
    if isinstance(value, str):
        return did_you_mean(name, TEXT_METHODS)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "a list has places, not keys: `x[0]`, `x | first`, `x | map(attribute='name')`"
    return None


def _key(value: Mapping[object, object], key: object) -> object:
    try:
        return value[key]
    except KeyError:
        pass
    names = [name for name in value if isinstance(name, str)]
    shown = f"`{key}`" if isinstance(key, str) else repr(key)
    reason = f"the object has no key {shown}"
    raise Refused("EXPR-004", reason, _key_hint(str(key), names))


def _key_hint(key: str, names: list[str]) -> str:
    if key in MAPPING_HINTS:
        return MAPPING_HINTS[key]
    if not names:
        return "the object is empty"
    listed = ", ".join(sorted(names)[:10]) + (", ..." if len(names) > 10 else "")
    return did_you_mean(key, names) or f"its keys are: {listed}"


def element(value: object, key: object) -> object:
    """Return what `value[key]` means: a key of an object, a place in a list or text.

    Raises:
        Refused: there is no such thing (EXPR-004).
    """
    if isinstance(value, Mapping):
        return _key(cast("Mapping[object, object]", value), key)
    if isinstance(value, list | tuple | str | bytes) and isinstance(key, int):
        places = cast("Sequence[object]", value)
        if -len(places) <= key < len(places):
            return places[key]
        reason = f"there is no place {key}: {kind_of(cast(object, value))} of length {len(places)}"
        raise Refused("EXPR-004", reason)
    if isinstance(key, str):
        return attribute(cast(object, value), key)
    raise Refused("EXPR-004", f"{kind_of(cast(object, value))} has no place {key!r}")


def replaced(text: str, old: str, new: str, most: int = -1) -> str:
    """Return `text` with `old` replaced by `new`, `most` times (-1: everywhere), if that is not too large."""
    check_length(len(text) + text.count(old) * max(len(new) - len(old), 0), "the text")
    return text.replace(old, new, most)
