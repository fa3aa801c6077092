"""States what the shelf needs of node types that change, and says what is news about their problems."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from atomiton_runtime.errors import ErrorInfo, Where
from atomiton_runtime.flow.catalogue import Catalogue
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.run.notices import NoticeRaised


class ChangingCatalogue(Catalogue, Protocol):
    """Node types of which some may change while the process lives."""

    def refresh(self) -> int:
        """Look for changes and return `generation`."""
        ...

    @property
    def generation(self) -> int:
        """Grows with each change that was found."""
        ...

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with node types that somebody wrote."""
        ...

    def is_fixed(self, name: str) -> bool:
        """Return whether the type of this name never changes while the process lives."""
        ...


def type_notices(before: Sequence[Problem], now: Sequence[Problem]) -> Iterator[NoticeRaised]:
    """Yield a warning for each file that is broken in a new way, and a word for each that is in order again."""
    was, found = _by_file(before), _by_file(now)
    for file, problems in found.items():
        if was.get(file) != problems:
            yield NoticeRaised(level="warning", error=_error(problems))
    for file in was.keys() - found.keys():
        message = f"the node type in {_short(file)} is in order again, or gone"
        yield NoticeRaised(level="info", error=ErrorInfo("NODE-004", message, where=Where(file, 1, 1)))


def _by_file(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.file, []).append(problem)
    return found


def _error(problems: Sequence[Problem]) -> ErrorInfo:
    first = problems[0]
    more = f" (and {len(problems) - 1} more: atomiton check)" if len(problems) > 1 else ""
    message = f"a node type cannot be used: {_short(first.file)}, line {first.line}: {first.message}{more}"
    return ErrorInfo(first.code, message, where=Where(first.file, first.line, first.column), hint=first.hint)


def _short(file: str) -> str:
    path = Path(file)
    return f"{path.parent.name}/{path.name}"
