"""Says what went wrong, where, with which value and what to do: the errors that a user can meet."""

import msgspec


class Where(msgspec.Struct, frozen=True):
    """A place in a text file."""

    file: str
    line: int
    """Counted from 1."""
    column: int
    """Counted from 1, in characters."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ErrorInfo(msgspec.Struct, frozen=True):
    """An error as a value: what journals, documents and messages carry."""

    code: str
    """Stable, e.g. `NODE-002`; listed in `docs/errors.md`."""
    message: str
    node: str | None = None
    where: Where | None = None
    hint: str | None = None


class AtomitonError(Exception):
    """The base of every error that a user can meet; never shown with a traceback."""

    def __init__(
        self, code: str, message: str, *, hint: str | None = None, where: Where | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.where = where

    def info(self, node: str | None = None) -> ErrorInfo:
        """Return this error as a value, as met by `node`."""
        return ErrorInfo(self.code, self.message, node, self.where, self.hint)


class UsageError(AtomitonError):
    """The caller asked for something that is not there or not allowed (exit code 2)."""


class StorageError(AtomitonError):
    """The store cannot be read or written (exit code 5)."""


class RuntimeUnusable(AtomitonError):
    """The runtime cannot start or does not answer (exit code 5)."""
