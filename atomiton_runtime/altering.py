"""Sets parameters of one node otherwise than its flow file does."""

import tomllib
from collections.abc import Mapping
from typing import cast

import msgspec

from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.catalogue import COMMON_KEYS
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.model import Body, Node
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.ids import NodeId
from atomiton_runtime.recalling import Level, Past
from atomiton_runtime.values import Value


def changed(level: Level, written: Node, changes: Mapping[str, Value], past: Past) -> tuple[Level, Node]:
    """Return a node with other parameters, and where it is.

    Args:
        level: where the node is now.
        written: the node.
        changes: parameter -> value instead of the one that is written; `values.limit` names a key within one.
        past: loads the flow.

    Raises:
        UsageError: a change is of no parameter (RUN-030), or gives a definition with problems (their codes).
    """
    flow = level.frame.flow
    paths = {(*level.table, written.id, *_key_path(name, written)): value for name, value in changes.items()}
    try:
        fresh = past.load(flow.path, paths)
    except FlowInvalid as invalid:
        problem = invalid.problems[0]
        raise UsageError(problem.code, f"as it is set: {problem.message}", hint=problem.hint) from invalid
    graph: Body = fresh
    for name in level.table[1::2]:
        body = graph.nodes[graph.index_of[NodeId(str(name))]].body
        assert body is not None
        graph = body
    frame = msgspec.structs.replace(level.frame, flow=fresh)
    node = graph.nodes[graph.index_of[written.id]]
    return msgspec.structs.replace(level, graph=graph, frame=frame), node


def _key_path(name: str, written: Node) -> KeyPath:
    """Return the keys that the name of a parameter, or of something in one, stands for.

    Raises:
        UsageError: it is none (RUN-030).
    """
    path = _keys(name)
    if not path or path[0] in COMMON_KEYS:
        raise UsageError(
            "RUN-030",
            f"{name!r} is no parameter of a node",
            hint="a parameter is set by its name, a key within one by `name.key`; all else stands in the flow file",
        )
    within: object = written.parameters
    for key in path[:-1]:
        within = cast("dict[str, object]", within).get(key, {})
        if not isinstance(within, dict):
            raise UsageError(
                "RUN-030", f"{name!r} cannot be set: `{key}` is no table", hint=f"set `{key}` as a whole"
            )
    return path


def _keys(name: str) -> tuple[str, ...]:
    """Return the parts of a dotted key as TOML has it; none: it is no key."""
    try:
        found: object = tomllib.loads(f"{name} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while isinstance(found, dict):
        keys += cast("dict[str, object]", found)
        found = next(iter(cast("dict[str, object]", found).values()), None)
    return tuple(keys)
