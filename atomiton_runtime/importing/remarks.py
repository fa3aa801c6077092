"""Holds what a person must know about an imported flow."""

import json

import msgspec

NOT_TRANSLATED = "IMPORT-010"
DIFFERENT = "IMPORT-011"


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person must look at, or should know, after an import."""

    code: str
    """IMPORT-010: it was not translated; IMPORT-011: it was, but may behave differently."""
    message: str
    line: int
    """Of the original file, counted from 1."""
    original: str | None = None
    """The text that was not translated, as it was."""

    @property
    def needs_work(self) -> bool:
        """Whether the flow lacks something until a person has looked."""
        return self.code == NOT_TRANSLATED


def look(message: str, line: int, original: object = None) -> Remark:
    """Return the remark that something was not translated."""
    text = (
        None
        if original is None
        else original
        if isinstance(original, str)
        else json.dumps(original, ensure_ascii=False)
    )
    return Remark(code=NOT_TRANSLATED, message=message, line=line, original=text)


def note(message: str, line: int) -> Remark:
    """Return the remark that something was translated, but may behave differently."""
    return Remark(code=DIFFERENT, message=message, line=line)
