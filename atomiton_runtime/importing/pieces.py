"""Composes expressions of ours from pieces, with the parentheses that they need and no others."""

import json
import re
from typing import Literal, NamedTuple

Kind = Literal["any", "text", "number", "boolean", "list", "object"]

TERNARY, OR, AND, NOT, COMPARE, ADD, CONCAT, MULTIPLY, POWER, SIGN, FILTER, PRIMARY = range(12)
"""How tightly the outermost operator of a piece binds, as in Jinja's grammar."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Untranslatable(Exception):
    """A piece of JavaScript has no equal in our expressions; says which and why."""


class Piece(NamedTuple):
    """A part of an expression."""

    text: str
    level: int = PRIMARY
    kind: Kind = "any"
    may_lack: bool = False
    """Whether it may be a key that is not there."""

    def at(self, level: int) -> str:
        """Return the text, in parentheses unless it binds at least as tightly as `level`."""
        return self.text if self.level >= level else f"({self.text})"


NULL = Piece("none")


def text_literal(text: str) -> Piece:
    """Return a text as a literal."""
    escaped = "".join(_ESCAPES.get(char) or (f"\\x{ord(char):02x}" if char < " " else char) for char in text)
    return Piece(f"'{escaped}'", kind="text")


def number_literal(number: int | float) -> Piece:
    """Return a number as a literal; `number` is finite."""
    return Piece(json.dumps(number), SIGN if number < 0 else PRIMARY, "number")


def key_of(piece: Piece, name: str) -> Piece:
    """Return `piece.name`."""
    if _NAME.fullmatch(name):
        return Piece(f"{piece.at(PRIMARY)}.{name}", may_lack=True)
    return place_of(piece, text_literal(name))


def place_of(piece: Piece, place: Piece) -> Piece:
    """Return `piece[place]`."""
    return Piece(f"{piece.at(PRIMARY)}[{place.text}]", may_lack=True)


def filtered(piece: Piece, filter_text: str, kind: Kind = "any") -> Piece:
    """Return `piece | filter_text`."""
    return Piece(f"{piece.at(FILTER)} | {filter_text}", FILTER, kind)


def called(piece: Piece, method: str, *arguments: Piece, kind: Kind = "any") -> Piece:
    """Return `piece.method(arguments)`."""
    return Piece(f"{piece.at(PRIMARY)}.{method}({', '.join(each.text for each in arguments)})", kind=kind)


def joined(left: Piece, operator: str, right: Piece, level: int, kind: Kind = "any") -> Piece:
    """Return `left operator right` for an operator that groups to the left."""
    return Piece(f"{left.at(level)} {operator} {right.at(level + 1)}", level, kind)


def compared(left: Piece, operator: str, right: Piece) -> Piece:
    """Return a comparison; in ours `a < b < c` would mean something else, so operands bind more tightly."""
    return Piece(f"{left.at(ADD)} {operator} {right.at(ADD)}", COMPARE, "boolean")


def tested(piece: Piece, test: str) -> Piece:
    """Return `piece is test`."""
    return Piece(f"{piece.at(FILTER)} is {test}", COMPARE, "boolean")


def concatenated(parts: list[Piece]) -> Piece:
    """Return the text of all parts after each other."""
    return Piece(" ~ ".join(part.at(MULTIPLY) for part in parts), CONCAT, "text")


def negated(piece: Piece) -> Piece:
    """Return `not piece`."""
    return Piece(f"not {piece.at(NOT)}", NOT, "boolean")


def chosen(condition: Piece, yes: Piece, no: Piece) -> Piece:
    """Return `yes if condition else no`."""
    # A test takes what follows it for its argument, even an `if`: hence the parentheses around comparisons.
    kind = yes.kind if yes.kind == no.kind else "any"
    return Piece(f"{yes.at(OR)} if {condition.at(ADD)} else {no.at(TERNARY)}", TERNARY, kind)


def or_default(piece: Piece, default: Piece, *, if_false: bool) -> Piece:
    """Return what `piece || default` (`if_false`), or `default` only where the key is not there."""
    kind = default.kind if default.kind == piece.kind else "any"
    return filtered(piece, f"default({default.text}{', true' if if_false else ''})", kind)
