"""Looks at the flows and the node types that they may use."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from atomiton_runtime.doctor.finding import Finding, refused
from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.entry import FlowEntry
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.nodes.catalogued import BUILT_IN_SOURCE
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.runtime import Runtime
from atomiton_runtime.settings import Places

_NAMED = 5
"""So many broken flows and types are named; of the others there is only the number."""
_HINT = "`atomiton check` shows all"


def flows(places: Places) -> Iterator[Finding]:
    """Yield how many flows and node types there are, and each that is broken. Node types are loaded for that."""
    runtime = Runtime(places.flows, "memory:", data=places.data)
    if places.flows.is_dir():
        try:
            with runtime:
                yield from _flows(runtime.flows())
        except AtomitonError as error:
            yield refused("flows", "flows", error)
    else:
        yield Finding(area="flows", subject="flows", message="none")
    yield from _node_types(runtime.catalogue)


def _flows(entries: Sequence[FlowEntry]) -> Iterator[Finding]:
    broken = [entry for entry in entries if entry.problems]
    words = f"{len(entries) - len(broken)} in order"
    yield Finding(
        area="flows", subject="flows", message=f"{words}, {len(broken)} broken" if broken else words
    )
    found = [_wrong("flow", Path(entry.path).name, entry.problems) for entry in broken]
    yield from _at_most(found, "flows")


def _node_types(catalogue: NodeCatalogue) -> Iterator[Finding]:
    types = catalogue.types()
    own = sum(1 for each in types if each.source != BUILT_IN_SOURCE)
    words = f"{len(types) - own} built in, {own} of your own"
    yield Finding(area="flows", subject="node types", message=words)
    by_file: dict[Path, list[Problem]] = {}
    for problem in catalogue.problems:
        by_file.setdefault(Path(problem.file), []).append(problem)
    found = [_wrong("node type", f"{path.parent.name}/{path.name}", wrong) for path, wrong in by_file.items()]
    yield from _at_most(found, "node types")


def _wrong(subject: str, file: str, problems: Sequence[Problem]) -> Finding:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    message = f"{file}:{first.line}:{first.column}: {first.message} ({first.code}){more}"
    return Finding(area="flows", subject=subject, level="problem", message=message, hint=_HINT)


def _at_most(found: Sequence[Finding], subject: str) -> Iterator[Finding]:
    yield from found[:_NAMED]
    if len(found) > _NAMED:
        message = f"{len(found) - _NAMED} more are broken"
        yield Finding(area="flows", subject=subject, level="problem", message=message, hint=_HINT)
