"""Is one line of a diagnosis."""

from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.errors import AtomitonError

Level: TypeAlias = Literal["ok", "warning", "problem"]
"""`ok`: as it should be, or only told. `warning`: it works, but something is missing or dangerous. `problem`: something
that should work does not."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one thing."""

    area: str
    """What the thing belongs to: `places`, `store`, `flows` ..."""
    subject: str
    """What was looked at: `flows folder`."""
    level: Level = "ok"
    message: str
    hint: str | None = None


def refused(area: str, subject: str, error: AtomitonError) -> Finding:
    """Return the finding for something that an error of ours says already."""
    message = f"{error.message} ({error.code})"
    return Finding(area=area, subject=subject, level="problem", message=message, hint=error.hint)
