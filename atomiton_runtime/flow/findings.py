"""Collects what is wrong with a flow while it is read; places are looked up later, and only if there is something."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.flow.lookup import did_you_mean

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys and places from the top of the file: `("nodes", "read", "args", 0)`."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong at a key path."""

    code: str
    message: str
    path: KeyPath
    at: Literal["key", "value"] = "value"
    hint: str | None = None
    token: str | None = None
    """A word within the value's text to underline, instead of all of it."""
    within: tuple[int, int] | None = None
    """Line and column, from 1, within the value's text: only what is there is underlined."""


class Findings:
    """The list that all readers of a flow add to."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def add(
        self,
        code: str,
        message: str,
        path: KeyPath,
        *,
        hint: str | None = None,
        token: str | None = None,
        within: tuple[int, int] | None = None,
    ) -> None:
        """Report a value."""
        self.found.append(
            Finding(code=code, message=message, path=path, hint=hint, token=token, within=within)
        )

    def add_key(self, code: str, message: str, path: KeyPath, *, hint: str | None = None) -> None:
        """Report the key, or the header of the table, at the end of `path`."""
        self.found.append(Finding(code=code, message=message, path=path, at="key", hint=hint))

    def unknown_keys(self, unknown: Iterable[str], known: Iterable[str], path: KeyPath, where: str) -> None:
        """Report keys that a table must not have.

        Args:
            unknown: the keys.
            known: those that it may have.
            path: of the table.
            where: how a message calls the table: `the settings`.
        """
        allowed = sorted(known)
        for key in unknown:
            hint = did_you_mean(key, allowed) or f"allowed are: {', '.join(allowed)}"
            self.add_key("FLOW-002", f"unknown key `{key}` in {where}", (*path, key), hint=hint)

    def wrong_kind(self, wanted: str, value: object, path: KeyPath, hint: str | None = None) -> None:
        """Report a value of the wrong kind."""
        message = f"`{place_name(path)}` must be {wanted}, not {toml_kind(value)}"
        self.add("FLOW-003", message, path, hint=hint)


def place_name(path: KeyPath) -> str:
    """Return how messages call the end of a path: `timeout`, or `input[2]`."""
    last = path[-1]
    return last if isinstance(last, str) else f"{path[-2]}[{last}]"


def toml_kind(value: object) -> str:
    """Return how messages call the kind of a value in a TOML file."""
    match value:
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"
