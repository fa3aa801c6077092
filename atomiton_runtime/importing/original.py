"""Is a flow of the original Atomiton as its files have it, in all the forms that its versions wrote."""

import msgspec

from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.importing.yaml_file import Data, Document, Path

KNOWN_KEYS = frozenset(
    {
        "id",
        "name",
        "description",
        "type",
        "version",
        "parameters",
        "data",
        "nodes",
        "edges",
        "variables",
        "settings",
    }
)
_OF_NODES = KNOWN_KEYS - {"variables", "settings"}
_LOOKS = frozenset({"customLabel", "lastModified"})
"""What the parameters of older files hold besides: words and dates of the canvas."""
APPEARANCE = frozenset(
    {"category", "metadata", "position", "inputPorts", "outputPorts", "parentId", "fields", "width", "height"}
    | {"selected", "dragging", "positionAbsolute", "measured", "icon", "tags", "author", "runtime"}
)
"""Keys that say how a node looks, where it is on a canvas and what its type is like: nothing that it does."""


class OriginalEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A line from one node to another."""

    source: str
    target: str
    source_handle: str | None
    target_handle: str | None
    line: int


class OriginalNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node, perhaps with nodes inside."""

    id: str
    type: str
    name: str
    description: str
    parameters: dict[str, Data]
    path: Path
    """Where it is in the document."""
    parameters_path: Path
    nodes: tuple["OriginalNode", ...]
    edges: tuple[OriginalEdge, ...]
    others: dict[str, Data]
    """What it has besides, except for its looks."""


class OriginalFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file."""

    id: str
    name: str
    description: str
    variables: dict[str, Data]
    settings: dict[str, Data]
    parameters: dict[str, Data]
    nodes: tuple[OriginalNode, ...]
    edges: tuple[OriginalEdge, ...]
    others: dict[str, Data]
    path: Path
    """Where it is in the document: in the oldest files below `flow`."""


def read_original(document: Document, file: str) -> OriginalFlow:
    """Return the flow in a document.

    Raises:
        FlowInvalid: it is no flow of the original (IMPORT-005), or nodes and edges of it are incomplete: then with
            all that is wrong (IMPORT-006).
    """
    reader = _Reader(document, file)
    data, path = _flow_in(document.data)
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list | dict):
        kind = "has no list `nodes`" if isinstance(data, dict) else "is no mapping"
        hint = "a flow of the original has `name`, `nodes` and `edges`"
        raise FlowInvalid(
            [reader.problem("IMPORT-005", f"this is no flow of the original: it {kind}", (), hint)]
        )
    about = reader.mapping(data, "metadata", path)
    flow = OriginalFlow(
        id=_word(data.get("id")),
        name=_word(data.get("name")) or _word(about.get("name")),
        description=_word(data.get("description")) or _word(about.get("description")),
        variables=reader.mapping(data, "variables", path),
        settings=reader.mapping(data, "settings", path),
        parameters=reader.parameters(data, path)[0],
        nodes=reader.nodes(data, path),
        edges=reader.edges(data, path),
        others=_others(data, KNOWN_KEYS),
        path=path,
    )
    if not flow.nodes and not reader.problems:
        reader.complain("the flow has no nodes", (*path, "nodes"))
    if reader.problems:
        raise FlowInvalid(reader.problems)
    return flow


class _Reader:
    def __init__(self, document: Document, file: str) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._file = file

    def problem(self, code: str, message: str, path: Path, hint: str | None = None) -> Problem:
        return Problem(
            code=code, message=message, file=self._file, line=self._document.line(path), column=1, hint=hint
        )

    def complain(self, message: str, path: Path, hint: str | None = None) -> None:
        self.problems.append(self.problem("IMPORT-006", message, path, hint))

    def mapping(self, data: dict[str, Data], key: str, path: Path) -> dict[str, Data]:
        found = data.get(key)
        if isinstance(found, dict):
            return found
        if found is not None and found != []:
            self.complain(f"`{key}` is no mapping", (*path, key))
        return {}

    def parameters(self, data: dict[str, Data], path: Path) -> tuple[dict[str, Data], Path]:
        """Return the parameters: below `data` in older files, some of which declare them below `parameters`."""
        key = "data" if "data" in data else "parameters"
        found = self.mapping(data, key, path)
        return {name: value for name, value in found.items() if name not in _LOOKS}, (*path, key)

    def nodes(self, data: dict[str, Data], path: Path) -> tuple[OriginalNode, ...]:
        entries = data.get("nodes") or []
        if not isinstance(entries, list | dict):
            self.complain("`nodes` is no list", (*path, "nodes"))
            return ()
        if isinstance(entries, dict):  # the oldest files: id -> node
            named = [
                (id_, {"id": id_, **entry} if isinstance(entry, dict) else entry)
                for id_, entry in entries.items()
            ]
            found = [self._node(entry, (*path, "nodes", id_)) for id_, entry in named]
        else:
            found = [self._node(entry, (*path, "nodes", place)) for place, entry in enumerate(entries)]
        self._check_ids(found)
        return tuple(node for node in found if node is not None)

    def _check_ids(self, found: list[OriginalNode | None]) -> None:
        seen: set[str] = set()
        for node in found:
            if node is not None and node.id in seen:
                self.complain(f"two nodes have the id `{node.id}`", node.path)
            seen.add("" if node is None else node.id)

    def _node(self, entry: Data, path: Path) -> OriginalNode | None:
        if not isinstance(entry, dict):
            self.complain(f"`{_shown(path)}` is no node", path)
            return None
        missing = [key for key in ("id", "type") if not _word(entry.get(key))]
        if missing:
            self.complain(f"the node `{_shown(path)}` has no `{'` and no `'.join(missing)}`", path)
            return None
        parameters, parameters_path = self.parameters(entry, path)
        return OriginalNode(
            id=_word(entry["id"]),
            type=_word(entry["type"]),
            name=_word(entry.get("name")),
            description=_word(entry.get("description")),
            parameters=parameters,
            path=path,
            parameters_path=parameters_path,
            nodes=self.nodes(entry, path),
            edges=self.edges(entry, path),
            others=_others(entry, _OF_NODES),
        )

    def edges(self, data: dict[str, Data], path: Path) -> tuple[OriginalEdge, ...]:
        entries = data.get("edges") or []
        if not isinstance(entries, list):
            self.complain("`edges` is no list", (*path, "edges"))
            return ()
        found = [self._edge(entry, (*path, "edges", place)) for place, entry in enumerate(entries)]
        return tuple(edge for edge in found if edge is not None)

    def _edge(self, entry: Data, path: Path) -> OriginalEdge | None:
        if not isinstance(entry, dict):
            self.complain(f"`{_shown(path)}` is no edge", path)
            return None
        source, source_handle = _end(entry, "source")
        target, target_handle = _end(entry, "target")
        if not source or not target:
            hint = "an edge has `source` and `target`, the ids of two nodes"
            self.complain(f"the edge `{_shown(path)}` does not say what it connects", path, hint)
            return None
        return OriginalEdge(
            source=source,
            target=target,
            source_handle=source_handle,
            target_handle=target_handle,
            line=self._document.line(path),
        )


def _end(entry: dict[str, Data], key: str) -> tuple[str, str | None]:
    """Return the node and handle of an edge's end: `source: id`, or `source: {nodeId: id, portId: handle}`."""
    end = entry.get(key)
    if isinstance(end, dict):
        node, port = (_word(end.get(f"{name}Id")) or _word(end.get(name)) for name in ("node", "port"))
        return node, port or None
    return _word(end), _word(entry.get(f"{key}Handle")) or None


def _flow_in(data: Data) -> tuple[Data, Path]:
    inner = data.get("flow") if isinstance(data, dict) else None
    return (inner, ("flow",)) if isinstance(inner, dict) and "nodes" in inner else (data, ())


def _others(data: dict[str, Data], known: frozenset[str]) -> dict[str, Data]:
    return {
        key: value
        for key, value in data.items()
        if key not in known | APPEARANCE and not (key == "settings" and _only_looks(value))
    }


def _only_looks(settings: Data) -> bool:
    return not settings or (isinstance(settings, dict) and settings.keys() <= {"ui"})


def _word(value: Data) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _shown(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
