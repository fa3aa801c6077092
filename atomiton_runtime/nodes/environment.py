"""Answers what of the environment nodes see: that of the runtime without secrets, and `.env` beside their flow."""

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from dotenv.parser import parse_stream

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.secrecy.sources import ENVIRONMENT_PREFIX
from atomiton_runtime.trust import distrust

FILE_NAME = ".env"


class NodeEnvironment(Mapping[str, str]):
    """The environment of the nodes of a flow, as it is now.

    What is in the environment of the runtime counts before what is in `.env`; the runtime itself never reads that file.
    """

    def __init__(self, folder: Path) -> None:
        """Look at the environment, and at `.env` in `folder`, that of the flow's file."""
        self._folder = folder

    def __getitem__(self, name: str) -> str:
        if name.startswith(ENVIRONMENT_PREFIX):
            raise KeyError(name)
        value = os.environ.get(name)
        return self._beside()[name] if value is None else value

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*without_secrets(), *self._beside())))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _beside(self) -> Mapping[str, str]:
        path = self._folder / FILE_NAME
        try:
            status = path.stat()
        except OSError:
            return {}
        # The time of change as well: rights that were changed are not in the time of modification.
        return _parsed(path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def without_secrets() -> dict[str, str]:
    """Return what programs inherit that the runtime starts for itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}


def inherited(folder: Path) -> dict[str, str]:
    """Return what programs inherit that nodes of the flows in `folder` start.

    Raises:
        NodeError: `.env` cannot be read (ENV-001), or others can write it (TRUST-001).
    """
    return dict(NodeEnvironment(folder))


@lru_cache(maxsize=16)
def _parsed(path: Path, *_identity: int) -> Mapping[str, str]:
    """Return the variables of the file, which is read anew when it has changed."""
    refusal = distrust(path)
    if refusal is not None:
        raise NodeError(refusal.code, refusal.message, hint=refusal.hint)
    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for line in parse_stream(file):
                if line.error:
                    message = f"{path}, line {line.original.line}: this is not `NAME=value`"
                    raise NodeError("ENV-001", message, hint="a value with spaces or `#` needs quotes")
                if line.key is not None and not line.key.startswith(ENVIRONMENT_PREFIX):
                    found[line.key] = line.value or ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NodeError("ENV-001", f"{path} cannot be read: {reason}") from error
    return found
