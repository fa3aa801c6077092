"""Executes one node as the runtime does, without a runtime: written parameters in, outputs out."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.flow.expressions import Scope, Templated, compile_expression, compile_templates, render
from atomiton_runtime.nodes.base import CancelToken, Effect, NodeContext, NodeError, Outside
from atomiton_runtime.nodes.registry import CataloguedType, NodeCatalogue
from atomiton_runtime.values import Value


def node_type(name: str) -> CataloguedType:
    """Return a built-in node type."""
    found = NodeCatalogue().find(name)
    assert found is not None
    return found


def compiled(catalogued: CataloguedType, written: Mapping[str, Any]) -> dict[str, Templated]:
    """Return parameters as the loader hands them on: texts are templates, expressions are compiled."""
    return {
        name: compile_expression(value)
        if catalogued.parameters[name].kind in ("expression", "key") and isinstance(value, str)
        else value
        if catalogued.parameters[name].kind == "code"
        else compile_templates(value)
        for name, value in written.items()
        if name in catalogued.parameters
    }


def complaints(name: str, toml: str) -> list[Complaint]:
    """Return what the node type says against the parameters in `toml`."""
    catalogued = node_type(name)
    return list(catalogued.check(compiled(catalogued, tomllib.loads(toml))))


def executed(
    name: str,
    folder: Path,
    value: Value = None,
    *,
    has_input: bool = True,
    cancel: CancelToken | None = None,
    variables: Mapping[str, Any] | None = None,
    **written: Any,
) -> dict[str, Any]:
    """Return the outputs of one attempt.

    Raises:
        NodeError, NodeCancelledError: as the node type does.
    """
    catalogued = node_type(name)
    context = _context(folder, value, variables, cancel=cancel or CancelToken(), has_input=has_input)
    return catalogued.node_type.execute(_prepared(catalogued, context, written), context)


def outside(
    name: str,
    folder: Path,
    value: Value = None,
    *,
    variables: Mapping[str, Any] | None = None,
    **written: Any,
) -> tuple[Effect, Outside]:
    """Return the effect of one attempt, and what it would read and leave.

    Raises:
        NodeError: as the node type does.
    """
    catalogued = node_type(name)
    context = _context(folder, value, variables, cancel=CancelToken(), has_input=True)
    parameters = _prepared(catalogued, context, written)
    return catalogued.node_type.effect(parameters), catalogued.node_type.outside(parameters, context)


def _context(
    folder: Path, value: Value, variables: Mapping[str, Any] | None, *, cancel: CancelToken, has_input: bool
) -> NodeContext:
    scope = Scope({"input": value, "vars": dict(variables or {})})
    return NodeContext(input=value, scope=scope, folder=folder, cancel=cancel, has_input=has_input)


def _prepared(catalogued: CataloguedType, context: NodeContext, written: Mapping[str, Any]) -> msgspec.Struct:
    entries = compiled(catalogued, written).items()
    return catalogued.prepare({key: render(entry, context.scope) for key, entry in entries})


def failure(name: str, folder: Path, value: Value = None, **written: Any) -> NodeError:
    """Return the error that one attempt fails with."""
    try:
        outputs = executed(name, folder, value, **written)
    except NodeError as error:
        return error
    raise AssertionError(f"it did not fail: {outputs}")
