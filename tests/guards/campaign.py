"""Sizes the long campaigns: a sample in CI, all of it where `ATOMITON_CAMPAIGN=full` asks for that."""

import json
import os
from pathlib import Path

FULL = os.environ.get("ATOMITON_CAMPAIGN") == "full"


def sized(sample: int, full: int) -> int:
    """Return how often something is to be tried."""
    return full if FULL else sample


def note(promise: str, **figures: int | float) -> None:
    """Add figures to the file that `ATOMITON_FIGURES` names, if it does: a line of JSON."""
    path = os.environ.get("ATOMITON_FIGURES")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"promise": promise, **figures}) + "\n")
