"""Reads the `[nodes]` of a flow or body: the common keys of each node, its parameters and its body."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

import msgspec

from atomiton_runtime.flow.catalogue import COMMON_KEYS, Catalogue, NodeTypeInfo
from atomiton_runtime.flow.checks import check_boolean, check_choice, check_integer, check_text, read_duration
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.graph import build_graph, find_cycles
from atomiton_runtime.flow.inputs import Siblings, read_after, read_input
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Node, Retry
from atomiton_runtime.flow.parameters import Surroundings, read_expression, read_parameters
from atomiton_runtime.ids import NodeId

MAX_NODES = 10_000
MAX_ATTEMPTS = 1000
MAX_BODIES = 20
"""Deepest nesting of bodies."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_RETRY_KEYS = ("attempts", "delay", "backoff", "max_delay", "jitter")
_NOT_LOCAL = "this version runs nodes on this machine only: leave `run_on` out"


class Nodes:
    """Reads the nodes of one flow, its bodies included."""

    def __init__(
        self,
        catalogue: Catalogue,
        variables: frozenset[str],
        lines: Mapping[KeyPath, int],
        findings: Findings,
    ) -> None:
        self._catalogue = catalogue
        self._variables = variables
        self._lines = lines
        self._findings = findings
        self._types: dict[str, NodeTypeInfo | None] = {}
        self._count = 0

    def read(
        self, table: object, path: KeyPath, outside: frozenset[str] = frozenset(), depth: int = 0
    ) -> tuple[Node, ...]:
        """Return the nodes of a `nodes` table; what is wrong is reported.

        Args:
            table: as written.
            path: of the table.
            outside: the nodes around the body, which must not be named inside.
            depth: how many bodies are around the table.
        """
        if not isinstance(table, dict):
            self._findings.wrong_kind("a table of nodes", table, path, "write `[nodes.NAME]`")
            return ()
        written = {
            name: cast("dict[str, object]", node)
            for name, node in cast("dict[str, object]", table).items()
            if self._is_node(name, node, (*path, name))
        }
        self._count += len(written)
        if self._count > MAX_NODES or depth > MAX_BODIES:
            limit = (
                f"{MAX_NODES:,} nodes" if self._count > MAX_NODES else f"{MAX_BODIES} bodies in each other"
            )
            self._findings.add_key("FLOW-013", f"a flow has at most {limit}", path)
            return ()
        siblings = self._siblings(cast("dict[str, object]", table), written, outside)
        nodes = tuple(
            self._node(name, index, node, siblings, (*path, name), depth)
            for index, (name, node) in enumerate(written.items())
        )
        self._report_cycles(nodes, path)
        return nodes

    def _is_node(self, name: str, node: object, path: KeyPath) -> bool:
        if not isinstance(node, dict):
            self._findings.wrong_kind("a table", node, path, f"write `[nodes.{name}]` and its keys below")
            return False
        if not _ID.fullmatch(name):
            hint = "letters a-z, digits, `_` and `-`, at most 100"
            self._findings.add_key(
                "FLOW-006", f"{name[:100]!r} cannot be the name of a node", path, hint=hint
            )
        return True

    def _siblings(
        self,
        table: Mapping[str, object],
        written: Mapping[str, Mapping[str, object]],
        outside: frozenset[str],
    ) -> Siblings:
        ports: dict[str, tuple[str, ...] | None] = dict.fromkeys(table)
        for name, node in written.items():
            node_type = self._type(node.get("type"))
            ports[name] = None if node_type is None else node_type.ports
        return Siblings(ports, outside - ports.keys())

    def _type(self, name: object) -> NodeTypeInfo | None:
        if not isinstance(name, str):
            return None
        if name not in self._types:
            self._types[name] = self._catalogue.find(name)
        return self._types[name]

    def _node(
        self,
        name: str,
        index: int,
        written: dict[str, object],
        siblings: Siblings,
        path: KeyPath,
        depth: int,
    ) -> Node:
        node_type = self._type(written.get("type"))
        surroundings = Surroundings(self._variables, depth > 0)
        common: dict[str, object] = {}
        if "input" in written:
            place = (*path, "input")
            common["input"] = read_input(written["input"], name, siblings, place, self._findings)
        if "after" in written:
            place = (*path, "after")
            common["after"] = read_after(written["after"], name, siblings, place, self._findings)
        for key in _READERS.keys() & written.keys():
            _READERS[key](written[key], common, surroundings, (*path, key), self._findings)
        parameters = {}
        if node_type is None:
            self._report_type(written, path)
        else:
            common["children"] = self._children(written, node_type, siblings, path, depth)
            parameters = read_parameters(written, node_type, surroundings, path, self._findings)
        return Node(
            id=NodeId(name),
            index=index,
            type=cast(str, written.get("type")),
            parameters=parameters,
            line=self._lines.get(path, 1),
            **common,  # pyright: ignore[reportArgumentType]  # each reader stores its field's type
        )

    def _report_type(self, written: Mapping[str, object], path: KeyPath) -> None:
        name = written.get("type")
        if isinstance(name, str):
            known = self._catalogue.names()
            hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
            self._findings.add("FLOW-008", f"there is no node type `{name}`", (*path, "type"), hint=hint)
        elif name is None:
            hint = 'write `type = "transform"`, or another of `atomiton nodes`'
            self._findings.add_key("FLOW-007", f"node `{path[-1]}` has no type", path, hint=hint)
        else:
            self._findings.wrong_kind("a text", name, (*path, "type"))

    def _children(
        self,
        written: Mapping[str, object],
        node_type: NodeTypeInfo,
        siblings: Siblings,
        path: KeyPath,
        depth: int,
    ) -> tuple[Node, ...]:
        body_path = (*path, "nodes")
        if "nodes" not in written:
            if node_type.has_body:
                hint = f"write `[{'.'.join(map(str, body_path))}.NAME]`"
                self._findings.add_key("FLOW-015", f"{node_type.name} needs child nodes", path, hint=hint)
            return ()
        if not node_type.has_body:
            self._findings.add_key("FLOW-014", f"{node_type.name} has no child nodes", body_path)
            return ()
        if written["nodes"] == {}:
            self._findings.add_key("FLOW-015", f"{node_type.name} needs child nodes", body_path)
            return ()
        outside = siblings.outside | siblings.ports.keys()
        return self.read(written["nodes"], body_path, outside, depth + 1)

    def _report_cycles(self, nodes: tuple[Node, ...], path: KeyPath) -> None:
        graph = build_graph(nodes)
        for cycle in find_cycles(graph):
            names = [nodes[index].id for index in (*cycle, cycle[0])]
            shown = names if len(names) <= 20 else [*names[:10], "...", *names[-9:]]
            first = nodes[cycle[0]]
            key = "input" if nodes[cycle[-1]].id in {ref.node for ref in first.refs} else "after"
            place = (*path, first.id, key)
            hint = "one of them must not wait for the others"
            self._findings.add(
                "FLOW-012", f"the nodes wait for each other: {' -> '.join(shown)}", place, hint=hint
            )


_Reader = Callable[[object, dict[str, object], Surroundings, KeyPath, Findings], None]


def _text(
    field: str, value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_text(value, path, findings):
        into[field] = value


def _flag(
    field: str, value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_boolean(value, path, findings):
        into[field] = value


def _when(
    value: object, into: dict[str, object], surroundings: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if not isinstance(value, str):
        findings.wrong_kind("an expression", value, path, 'such as "input.total > 10"')
        return
    into["when"] = read_expression(value, surroundings.variables, surroundings.repeats, path, findings)


def _timeout(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    into["timeout_s"] = read_duration(value, path, findings)


def _on_error(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_choice(value, ("fail", "continue"), path, findings):
        into["continue_on_error"] = value == "continue"


def _reuse(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if check_choice(value, ("auto", "always", "never"), path, findings):
        into["reuse"] = value


def _run_on(value: object, _: dict[str, object], __: Surroundings, path: KeyPath, findings: Findings) -> None:
    if check_text(value, path, findings) and value != "local":
        findings.add("FLOW-016", f"there is no cluster {value!r}", path, hint=_NOT_LOCAL)


def _retry(
    value: object, into: dict[str, object], _: Surroundings, path: KeyPath, findings: Findings
) -> None:
    if isinstance(value, dict):
        into["retry"] = _long_retry(cast("dict[str, object]", value), path, findings)
    elif isinstance(value, bool) or not isinstance(value, int):
        findings.wrong_kind("a number of attempts or a table", value, path, "write `3` or `{ attempts = 3 }`")
    elif check_integer(value, 1, MAX_ATTEMPTS, path, findings):
        into["retry"] = Retry(attempts=value)


def _long_retry(written: dict[str, object], path: KeyPath, findings: Findings) -> Retry:
    unknown = [key for key in written if key not in _RETRY_KEYS]
    findings.unknown_keys(unknown, _RETRY_KEYS, path, "`retry`")
    read: dict[str, object] = {}
    attempts = written.get("attempts", 3)
    if check_integer(attempts, 1, MAX_ATTEMPTS, (*path, "attempts"), findings):
        read["attempts"] = attempts
    for key, field in (("delay", "delay_s"), ("max_delay", "max_delay_s")):
        if key in written:
            seconds = read_duration(written[key], (*path, key), findings, zero=True)
            read |= {} if seconds is None else {field: seconds}
    if "backoff" in written and _is_backoff(written["backoff"], (*path, "backoff"), findings):
        read["backoff"] = written["backoff"]
    if "jitter" in written and check_boolean(written["jitter"], (*path, "jitter"), findings):
        read["jitter"] = written["jitter"]
    return msgspec.structs.replace(Retry(), **read)


def _is_backoff(value: object, path: KeyPath, findings: Findings) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        findings.wrong_kind("a number", value, path)
        return False
    if not 1 <= value <= 100:
        findings.add("FLOW-005", f"`backoff` must be 1 to 100, not {value}", path)
        return False
    return True


_READERS: dict[str, _Reader] = {
    "name": partial(_text, "name"),
    "description": partial(_text, "description"),
    "when": _when,
    "retry": _retry,
    "timeout": _timeout,
    "on_error": _on_error,
    "always": partial(_flag, "always"),
    "reuse": _reuse,
    "repeatable": partial(_flag, "repeatable"),
    "run_on": _run_on,
}
assert set(_READERS) | {"type", "input", "after", "nodes"} == COMMON_KEYS
