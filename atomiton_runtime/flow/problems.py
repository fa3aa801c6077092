"""Describes what is wrong with a flow file, as a compiler would: code, place, source line, caret, hint."""

from collections.abc import Sequence

import msgspec

from atomiton_runtime.errors import ErrorInfo, UsageError, Where


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a flow file."""

    code: str
    """Stable, e.g. `FLOW-003`; every code is a row of `flow/codes.py` and of `docs/errors.md`."""
    message: str
    file: str
    line: int
    """Counted from 1."""
    column: int
    """Counted from 1, in characters."""
    source_line: str = ""
    width: int = 1
    """Characters to underline, 1 or more."""
    hint: str | None = None

    def headline(self) -> str:
        """Return `file:line:column: error[CODE]: message`."""
        return f"{self.file}:{self.line}:{self.column}: error[{self.code}]: {self.message}"

    def info(self) -> ErrorInfo:
        """Return this problem as the error of documents."""
        return ErrorInfo(self.code, self.message, None, Where(self.file, self.line, self.column), self.hint)


class FlowInvalid(UsageError):
    """A flow file has problems; it carries all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(
            first.code,
            first.message,
            hint=first.hint,
            where=Where(first.file, first.line, first.column),
        )
        self.problems = tuple(problems)
