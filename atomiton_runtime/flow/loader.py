"""Reads a flow file: bytes in, a whole and valid `Flow` or all of its problems out."""

import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from atomiton_runtime.flow.catalogue import Catalogue
from atomiton_runtime.flow.checks import check_text
from atomiton_runtime.flow.code_lines import CodeLines
from atomiton_runtime.flow.definition import Definitions
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.model import Flow, Settings
from atomiton_runtime.flow.node_table import Nodes
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.flow.readings import Readings
from atomiton_runtime.flow.settings_table import read_settings
from atomiton_runtime.flow.source import Source, header_lines, read_source
from atomiton_runtime.flow.tests_table import Subject, ports_of, read_tests
from atomiton_runtime.flow.variables_table import read_variables
from atomiton_runtime.ids import FlowId

_KEYS = ("name", "description", "variables", "settings", "nodes", "test")
_EXAMPLE = 'the least is:\n[nodes.hello]\ntype = "edit-fields"\nvalues = { greeting = "hello" }'


def load_flow(
    content: bytes,
    path: Path,
    catalogue: Catalogue,
    before: Flow | None = None,
    changes: Mapping[KeyPath, object] | None = None,
) -> Flow | tuple[Problem, ...]:
    """Return the flow in `content`, or everything that is wrong with it, in the order of the file.

    Reads no file and raises nothing, whatever the bytes are.

    Args:
        content: the bytes of the file.
        path: of the file; its stem is the flow's id, its folder the flow's folder.
        catalogue: the node types there are.
        before: an earlier version of the flow, if there is one: only what has changed is read anew. The answer
            is the same.
        changes: what the flow is to say instead of what the file says: key path, through tables alone -> value.
    """
    source = read_source(content, str(path))
    if isinstance(source, Problem):
        return (source,)
    if changes:
        source = source._replace(data=_changed(source.data, changes))
    findings = Findings()
    flow = _read(source, content, path, catalogue, before, findings)
    if not findings.found:
        return flow
    # Loads the second parser, which a flow without problems never needs.
    from atomiton_runtime.flow.report import make_problems

    return make_problems(findings.found, source.text, str(path))


def _read(
    source: Source,
    content: bytes,
    path: Path,
    catalogue: Catalogue,
    before: Flow | None,
    findings: Findings,
) -> Flow:
    data = source.data
    findings.unknown_keys([key for key in data if key not in _KEYS], _KEYS, (), "the file")
    for key in ("name", "description"):
        if key in data:
            check_text(data[key], (key,), findings)
    variables = read_variables(data["variables"], findings) if "variables" in data else {}
    settings = read_settings(data["settings"], findings) if "settings" in data else Settings()
    declared = data.get("variables")
    # A variable that is declared wrongly is reported there, not wherever it is used.
    names = frozenset(cast("dict[str, object]", declared)) if isinstance(declared, dict) else frozenset[str]()
    if data.get("nodes", {}) == {}:
        findings.add_key("FLOW-001", "the flow has no nodes", ("nodes",), hint=_EXAMPLE)
    lines = _lines(source.text)
    definitions = Definitions(source.text)
    readings = Readings({} if before is None else before.readings, definitions, findings)
    reader = Nodes(catalogue, names, lines, CodeLines(source.text, lines), definitions, readings, findings)
    body = reader.read(data.get("nodes", {}), ("nodes",))
    tests = ()
    if "test" in data:
        subject = Subject(ports_of(data.get("nodes"), catalogue), variables, names)
        tests = read_tests(data["test"], subject, findings)
    absolute = path.expanduser().absolute()
    return Flow(
        id=FlowId(path.stem),
        name=cast(str, data.get("name", path.stem)),
        description=cast(str, data.get("description", "")),
        path=str(absolute),
        folder=str(absolute.parent),
        hash=hashlib.sha256(content).hexdigest(),
        variables=variables,
        settings=settings,
        tests=tests,
        nodes=body.nodes,
        parents=body.parents,
        dependents=body.dependents,
        sinks=body.sinks,
        handled=body.handled,
        readings=readings.kept,
    )


def _changed(data: dict[str, object], changes: Mapping[KeyPath, object]) -> dict[str, object]:
    """Return what a file says, with other values; tables that are not there are made."""
    changed: dict[str, object] = copy.deepcopy(data)
    for path, value in changes.items():
        table = changed
        for key in path[:-1]:
            table = cast("dict[str, object]", table.setdefault(cast(str, key), {}))
        table[cast(str, path[-1])] = value
    return changed


def _lines(text: str) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    for path, line in header_lines(text):
        lines.setdefault(path, line)
    return lines
