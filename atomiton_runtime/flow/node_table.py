"""Reads the `[nodes]` of a flow or body: the common keys of each node, its parameters and its body."""

import re
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from atomiton_runtime.flow.catalogue import COMMON_KEYS, Catalogue, NodeTypeInfo
from atomiton_runtime.flow.code_lines import CodeLines
from atomiton_runtime.flow.common_keys import READERS
from atomiton_runtime.flow.definition import Definitions
from atomiton_runtime.flow.expressions import Expression, Templated
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.graph import body_of, find_cycles
from atomiton_runtime.flow.inputs import Siblings, read_after, read_input
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Body, Node
from atomiton_runtime.flow.parameters import KnownType, Surroundings
from atomiton_runtime.flow.readings import Readings
from atomiton_runtime.ids import NodeId

MAX_NODES = 10_000
MAX_BODIES = 20
"""Deepest nesting of bodies."""

_EMPTY = body_of(())
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is around the nodes of a table."""

    depth: int = 0
    """How many bodies."""
    loops: int = 0
    """How many of them are repeated."""
    side_by_side: bool = False
    """Whether the nodes of the table are executed at the same time."""
    outside: frozenset[str] = frozenset()
    """The nodes of the tables around, which must not be named inside."""


class Nodes:
    """Reads the nodes of one flow, its bodies included."""

    def __init__(
        self,
        catalogue: Catalogue,
        variables: frozenset[str],
        lines: Mapping[KeyPath, int],
        code_lines: CodeLines,
        definitions: Definitions,
        readings: Readings,
        findings: Findings,
    ) -> None:
        self._catalogue = catalogue
        self._variables = variables
        self._lines = lines
        self._code_lines = code_lines
        self._definitions = definitions
        self._readings = readings
        self._findings = findings
        self._types: dict[str, KnownType | None] = {}
        self._count = 0

    def read(self, table: object, path: KeyPath, around: "Around | None" = None) -> Body:
        """Return the nodes of a `nodes` table and the edges between them; what is wrong is reported.

        Args:
            table: as written.
            path: of the table.
            around: the bodies around the table, if it is one of a body.
        """
        around = around or Around()
        if not isinstance(table, dict):
            self._findings.wrong_kind("a table of nodes", table, path, "write `[nodes.NAME]`")
            return _EMPTY
        written = {
            name: cast("dict[str, object]", node)
            for name, node in cast("dict[str, object]", table).items()
            if self._is_node(name, node, (*path, name))
        }
        self._count += len(written)
        if self._count > MAX_NODES or around.depth > MAX_BODIES:
            limit = (
                f"{MAX_NODES:,} nodes" if self._count > MAX_NODES else f"{MAX_BODIES} bodies in each other"
            )
            self._findings.add_key("FLOW-013", f"a flow has at most {limit}", path)
            return _EMPTY
        siblings = self._siblings(cast("dict[str, object]", table), written, around)
        surroundings = Surroundings(self._variables, around.depth > 0, around.loops)
        body = body_of(
            tuple(
                self._node(name, index, node, siblings, surroundings, (*path, name), around)
                for index, (name, node) in enumerate(written.items())
            )
        )
        self._report_cycles(body, path)
        return body

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
        around: "Around",
    ) -> Siblings:
        ports: dict[str, tuple[str, ...] | None] = dict.fromkeys(table)
        for name, node in written.items():
            node_type = self._type(node.get("type"))
            ports[name] = None if node_type is None else node_type.info.ports
        return Siblings(ports, around.outside - ports.keys(), around.side_by_side)

    def _type(self, name: object) -> KnownType | None:
        if not isinstance(name, str):
            return None
        if name not in self._types:
            found = self._catalogue.find(name)
            self._types[name] = None if found is None else KnownType.of(found)
        return self._types[name]

    def _node(
        self,
        name: str,
        index: int,
        written: dict[str, object],
        siblings: Siblings,
        surroundings: Surroundings,
        path: KeyPath,
        around: "Around",
    ) -> Node:
        node_type = self._type(written.get("type"))
        common: dict[str, object] = {"parameters": {}}
        if "input" in written:
            place = (*path, "input")
            common["input"] = read_input(written["input"], name, siblings, place, self._findings)
        if "after" in written:
            place = (*path, "after")
            common["after"] = read_after(written["after"], name, siblings, place, self._findings)
        own: dict[str, object] = {}
        for key, value in written.items():
            if key not in COMMON_KEYS:
                own[key] = value
            elif (reader := READERS.get(key)) is not None:
                reader(value, common, surroundings, (*path, key), self._findings)
        children: tuple[Node, ...] = ()
        if node_type is None:
            self._report_type(written, path)
        else:
            body = self._body(written, node_type.info, siblings, path, around)
            children = body.nodes
            reading = self._readings.read(own, node_type, surroundings, path)
            common["body"] = body if children else None
            common["parameters"] = reading.parameters
            common["names"] = _all_names(reading.names | node_type.info.uses, common.get("when"), children)
            common["calls"] = self._read_graph(reading.parameters, node_type, children, path)
            common["may_write"] = node_type.info.may_write
            if node_type.code:
                common["code_lines"] = self._lines_of_code(reading.parameters, node_type.code, path)
        return Node(
            id=NodeId(name),
            index=index,
            type=cast(str, written.get("type")),
            line=self._lines.get(path, 1),
            definition=self._definitions.of(written, own, children),
            **common,  # pyright: ignore[reportArgumentType]  # each reader stores its field's type
        )

    def _lines_of_code(
        self, parameters: Mapping[str, Templated], names: Sequence[str], path: KeyPath
    ) -> dict[str, Sequence[int]]:
        written = {name: parameters[name] for name in names if name in parameters}
        return {
            name: self._code_lines.of((*path, name), value)
            for name, value in written.items()
            if isinstance(value, str)
        }

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

    def _read_graph(
        self,
        parameters: Mapping[str, Templated],
        node_type: KnownType,
        children: tuple[Node, ...],
        path: KeyPath,
    ) -> str | None:
        """Check the parameter that names a child, and return the one that names a flow, if there are such."""
        calls = None
        for name, kind in node_type.names:
            value = parameters.get(name)
            if kind == "flow" and isinstance(value, str):
                calls = value
            elif isinstance(value, str) and children:
                names = [child.id for child in children]
                if value not in names:
                    hint = did_you_mean(value, names) or f"there are {', '.join(names[:10])}"
                    message = f"`{path[-1]}` has no child node `{value}`"
                    self._findings.add("FLOW-009", message, (*path, name), hint=hint)
        return calls

    def _body(
        self,
        written: Mapping[str, object],
        node_type: NodeTypeInfo,
        siblings: Siblings,
        path: KeyPath,
        around: "Around",
    ) -> Body:
        body_path = (*path, "nodes")
        owns_nodes = node_type.body is not None and node_type.body != "flow"
        if "nodes" not in written:
            if owns_nodes:
                hint = f"write `[{'.'.join(map(str, body_path))}.NAME]`"
                self._findings.add_key("FLOW-015", f"{node_type.name} needs child nodes", path, hint=hint)
            return _EMPTY
        if not owns_nodes:
            self._findings.add_key("FLOW-014", f"{node_type.name} has no child nodes", body_path)
            return _EMPTY
        if written["nodes"] == {}:
            self._findings.add_key("FLOW-015", f"{node_type.name} needs child nodes", body_path)
            return _EMPTY
        within = Around(
            depth=around.depth + 1,
            loops=around.loops + (node_type.body == "repeated"),
            side_by_side=node_type.body == "side-by-side",
            outside=siblings.outside | siblings.ports.keys(),
        )
        return self.read(written["nodes"], body_path, within)

    def _report_cycles(self, body: Body, path: KeyPath) -> None:
        nodes = body.nodes
        for cycle in find_cycles(body):
            names = [nodes[index].id for index in (*cycle, cycle[0])]
            shown = names if len(names) <= 20 else [*names[:10], "...", *names[-9:]]
            first = nodes[cycle[0]]
            key = "input" if nodes[cycle[-1]].id in {ref.node for ref in first.refs} else "after"
            place = (*path, first.id, key)
            hint = "one of them must not wait for the others"
            self._findings.add(
                "FLOW-012", f"the nodes wait for each other: {' -> '.join(shown)}", place, hint=hint
            )


def _all_names(own: frozenset[str], when: object, children: Sequence[Node]) -> frozenset[str]:
    if isinstance(when, Expression):
        own |= when.names
    return own.union(*(child.names for child in children)) if children else own
