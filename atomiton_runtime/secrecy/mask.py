"""Takes the values of secrets out of texts, values and streams of lines."""

import re
import threading
from collections.abc import Callable, Collection, Iterable

from atomiton_runtime.secrecy.forms import MIN_CHARS, forms
from atomiton_runtime.values import Value

HIDDEN = "***"
LONG_LINE_CHARS = 1000
"""A line of this length may be a piece of one that goes on in the next."""
_GAP_CHARS = 100
"""White space between a text that is cut and the mark of that."""
_CUT = re.compile(r"…|\.\.\.|\n\[cut here")
"""What messages and outputs put where they leave out the rest of a long text."""


class Mask:
    """Knows every spelling of some secrets. Immutable."""

    def __init__(self, secrets: Iterable[tuple[str, str]]) -> None:
        """Prepare for these secrets: names and values; a name may have several values."""
        names = {form: name for name, value in secrets for form in forms(value)}
        # The longest first: a secret may be a part of another one.
        self._names = dict(sorted(names.items(), key=lambda pair: len(pair[0]), reverse=True))
        self._bytes = {form.encode("utf-8", "surrogateescape"): name for form, name in self._names.items()}
        self._beginnings = {form[:MIN_CHARS]: name for form, name in self._names.items()}
        self._longest = max(map(len, self._names), default=0)
        self._pattern = re.compile("|".join(map(re.escape, self._names)))
        self._bytes_pattern = re.compile(b"|".join(map(re.escape, self._bytes)))

    def text(self, text: str) -> str:
        """Return `text` without the secrets, nor the beginning of one that is cut by an ellipsis."""
        # Looking for one text is many times as fast as looking for one of several, and most texts have none.
        if any(form in text for form in self._names):
            text = self._pattern.sub(HIDDEN, text)
        if any(beginning in text for beginning in self._beginnings):
            text = self._without_cut_ones(text)
        return text

    def value(self, value: Value) -> tuple[Value, frozenset[str]]:
        """Return a value without the secrets, at any depth, and the names of those that it held."""
        found: set[str] = set()
        masked = self._value(value, found)
        return masked, frozenset(found)

    def beginning(self, text: str) -> int:
        """Return how many characters at the end of `text` may be the beginning of a secret that goes on."""
        longest = 0
        for form in self._names:
            for length in range(min(len(form) - 1, len(text)), longest, -1):
                if text.endswith(form[:length]):
                    longest = length
                    break
        return longest

    def is_across(self, text: str, place: int) -> bool:
        """Return whether a secret begins before `place` in `text` and ends behind it."""
        return any(
            text.find(form, max(0, place - len(form) + 1), place + len(form) - 1) >= 0 for form in self._names
        )

    def _without_cut_ones(self, text: str) -> str:
        kept: list[str] = []
        done = 0
        for cut in _CUT.finditer(text):
            # No more is looked at than may be one: a long text may be full of ellipses.
            before = text[max(done, cut.start() - self._longest - _GAP_CHARS) : cut.start()]
            bare = before.rstrip()
            length = self.beginning(bare)
            if length >= MIN_CHARS:
                end = cut.start() - len(before) + len(bare)
                kept += (text[done : end - length], HIDDEN)
                done = end
        return "".join((*kept, text[done:]))

    def _value(self, value: Value, found: set[str]) -> Value:
        match value:
            case str():
                hidden = self.text(value)
                if hidden != value:
                    names = {name for form, name in self._names.items() if form in value}
                    found.update(names or {name for text, name in self._beginnings.items() if text in value})
                return hidden
            case bytes():
                names = {name for form, name in self._bytes.items() if form in value}
                found.update(names)
                return self._bytes_pattern.sub(HIDDEN.encode(), value) if names else value
            case list():
                return [self._value(each, found) for each in value]
            case dict():
                return {str(self._value(key, found)): self._value(each, found) for key, each in value.items()}
            case bool() | None:
                return value
            case _:
                shown = str(value)
                return value if self._value(shown, found) == shown else HIDDEN


class MaskedLines:
    """Passes lines on without the secrets, also where one is spread over several. Used by every thread."""

    def __init__(self, mask: Callable[[], Mask | None], tell: Callable[[str], None]) -> None:
        """Prepare to tell `tell`; `mask` returns what is hidden at the moment, or None."""
        self._mask, self._tell = mask, tell
        self._held = ""
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Pass whole lines on; those that may be the beginning of a secret wait for the next ones."""
        mask = self._mask()
        if mask is None:
            self._tell(text)
            return
        with self._lock:
            line = self._held.removesuffix("\n")
            held = line if line and mask.is_across(line + text, len(line)) else self._held
            text = mask.text(held + (text if text.endswith("\n") else f"{text}\n"))
            open_end = mask.beginning(text)
            if not open_end and len(text) - text.rfind("\n", 0, -1) > LONG_LINE_CHARS:
                open_end = mask.beginning(text[:-1])
                open_end += open_end > 0
            whole = text[: text.rfind("\n", 0, len(text) - open_end) + 1] if open_end else text
            self._held = text[len(whole) :]
            if whole:
                self._tell(whole)

    def end(self) -> None:
        """Pass on what waits: no more is to come."""
        with self._lock:
            rest, self._held = self._held, ""
            if rest:
                self._tell(rest)


def names_of(names: Collection[str]) -> str:
    """Return how messages list secrets: `secrets.A and secrets.B`."""
    return " and ".join(f"secrets.{name}" for name in sorted(names))
