"""Executes one node as the runtime does, without a runtime: written parameters in, outputs out."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.flow.expressions import Scope, Templated, compile_expression, compile_templates, render
from atomiton_runtime.nodes.base import CancelToken, NodeContext, NodeError
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
    scope = Scope({"input": value, "vars": dict(variables or {})})
    rendered = {key: render(entry, scope) for key, entry in compiled(catalogued, written).items()}
    context = NodeContext(
        input=value, scope=scope, folder=folder, cancel=cancel or CancelToken(), has_input=has_input
    )
    return catalogued.node_type.execute(catalogued.prepare(rendered), context)


def failure(name: str, folder: Path, value: Value = None, **written: Any) -> NodeError:
    """Return the error that one attempt fails with."""
    try:
        outputs = executed(name, folder, value, **written)
    except NodeError as error:
        return error
    raise AssertionError(f"it did not fail: {outputs}")
