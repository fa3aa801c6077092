"""Judges the run of a test by what the test expects."""

from collections.abc import Iterator
from typing import cast

import msgspec

from atomiton_runtime.errors import Where
from atomiton_runtime.flow.expressions import ExpressionFailed, Scope
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.model import Expectation, FlowTest
from atomiton_runtime.ids import NodeId
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.values import Value, preview

_SHOWN_CHARS = 200


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run did otherwise than its test expects."""

    message: str
    path: KeyPath
    """Where in the file it is expected: `("test", 0, "expect", "active")`."""
    node: NodeId | None = None
    port: str | None = None
    expected: Value | msgspec.UnsetType = msgspec.UNSET
    """Set where a value is another one than is expected, in the form of documents."""
    got: Value | msgspec.UnsetType = msgspec.UNSET
    hint: str | None = None
    where: Where | None = None
    """The place of `path`, once somebody has looked for it."""


def judge(test: FlowTest, run: RunDocument) -> tuple[Mismatch, ...]:
    """Return what a run did otherwise than its test expects; nothing: the test has passed.

    Args:
        test: what is expected.
        run: a run of the test that has ended.
    """
    path: KeyPath = ("test", test.index)
    found: list[Mismatch] = []
    if run.status != test.status:
        place = (*path, "expect_status") if test.status != "succeeded" else path
        hint = None if run.error is None else run.error.hint
        found.append(Mismatch(message=_about_run(test, run), path=place, hint=hint))
    for node, expectation in test.expect.items():
        found += _of_node(node, expectation, run, (*path, "expect", node))
    return tuple(found)


def same(expected: Value, got: Value) -> bool:
    """Return whether a value is the expected one.

    An integer and a number are the same if they are equal; true is no 1. TOML has no null, so a key that is null is
    the same as one that is not there.
    """
    match expected:
        case dict():
            return isinstance(got, dict) and _same_tables(expected, got)
        case list():
            return isinstance(got, list) and len(got) == len(expected) and all(map(same, expected, got))
        case _:
            return expected == got and isinstance(expected, bool) == isinstance(got, bool)


def _same_tables(expected: dict[str, Value], got: dict[str, Value]) -> bool:
    keys = {key for table in (expected, got) for key, value in table.items() if value is not None}
    return all(same(expected.get(key), got.get(key)) for key in keys)


def _about_run(test: FlowTest, run: RunDocument) -> str:
    why = ""
    if run.error is not None:
        at = f" at {run.error.node}" if run.error.node else ""
        why = f"{at}: {run.error.message} ({run.error.code})"
    return f"the run {_past(run.status)}{why}; expected was that it {_past(test.status)}"


def _past(status: str) -> str:
    return {"cancelled": "was cancelled", "timed_out": "timed out"}.get(status, status)


def _of_node(node: NodeId, expectation: Expectation, run: RunDocument, path: KeyPath) -> Iterator[Mismatch]:
    document = run.nodes[node]
    outputs = document.outputs
    for port, value in expectation.values.items():
        place = path if expectation.plain else (*path, "ports", port)
        if outputs is None:
            yield Mismatch(message=_without_outputs(node, document), path=place, node=node, port=port)
            return
        if not same(value, outputs.get(port)):
            yield _other_value(node, port, value, expectation, outputs, place)
    if expectation.when is not None:
        yield from _of_condition(node, expectation, run, (*path, "when"))


def _without_outputs(node: NodeId, document: NodeDocument) -> str:
    if document.error is not None:
        return f"`{node}` has no outputs: it failed: {document.error.message} ({document.error.code})"
    return f"`{node}` has no outputs: it was {document.status}"


def _other_value(
    node: NodeId,
    port: str,
    value: Value,
    expectation: Expectation,
    outputs: dict[str, Value],
    path: KeyPath,
) -> Mismatch:
    hint = None
    if expectation.plain and isinstance(value, dict) and value and value.keys() <= outputs.keys():
        named = ", ".join(value)
        hint = f"outputs other than the first one ({named}) are expected by `expect.{node}.ports`"
    return Mismatch(
        message=f"`{port}` of `{node}` is not what the test expects",
        path=path,
        node=node,
        port=port,
        expected=value,
        got=outputs.get(port),
        hint=hint,
    )


def _of_condition(
    node: NodeId, expectation: Expectation, run: RunDocument, path: KeyPath
) -> Iterator[Mismatch]:
    assert expectation.when is not None
    document = run.nodes[node]
    outputs = document.outputs or {}
    output, status = outputs.get(expectation.primary), _status(document)
    names = {
        "output": output,
        "outputs": outputs,
        "status": status,
        "error": cast(Value, msgspec.to_builtins(document.error)),
        "vars": run.variables,
    }
    try:
        value = expectation.when.evaluate(Scope(names))
    except ExpressionFailed as failure:
        yield Mismatch(message=f"of `{node}`: {failure.message}", path=path, node=node, hint=failure.hint)
        return
    if not value:
        shown = f"`output` is {preview(output, _SHOWN_CHARS)}, `status` is {status}"
        yield Mismatch(
            message=f"of `{node}`, `{expectation.when.text}` is not true", path=path, node=node, hint=shown
        )


def _status(document: NodeDocument) -> str:
    """Return the status as an author thinks of it: what is given to a node's dependents is its success."""
    return "succeeded" if document.status == "reused" else document.status
