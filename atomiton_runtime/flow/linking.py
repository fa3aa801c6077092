"""Finds the flows that a flow calls, and makes sure that none of them ends up calling itself."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from atomiton_runtime.flow.findings import Finding, KeyPath
from atomiton_runtime.flow.model import Flow, Node

Find: TypeAlias = Callable[[str, Flow], Flow | str]
"""Returns the flow that a reference, in the flow that calls, is about; or why there is none."""
MAX_CALLS = 20
"""Deepest nesting of calls."""


def link(flow: Flow, find: Find) -> Flow | tuple[Finding, ...]:
    """Return the flow with all that it calls, at any depth; or what is wrong with its calls.

    Args:
        flow: as loaded.
        find: how the flows are found.
    """
    return _link(flow, find, (flow,))


def called_flows(flow: Flow) -> dict[str, str]:
    """Return path -> hash of every flow that a linked flow calls, at any depth."""
    found: dict[str, str] = {}
    for called in flow.subflows.values():
        found |= {called.path: called.hash, **called_flows(called)}
    return found


def _link(flow: Flow, find: Find, callers: Sequence[Flow]) -> Flow | tuple[Finding, ...]:
    found: list[Finding] = []
    subflows: dict[str, Flow] = {}
    for path, ref in _calls(flow.nodes, ("nodes",)):
        if ref in subflows:
            continue
        called = _called(ref, flow, find, callers)
        if isinstance(called, Flow):
            subflows[ref] = called
        else:
            found.append(msgspec.structs.replace(called, path=path))
    if found:
        return tuple(found)
    return msgspec.structs.replace(flow, subflows=subflows) if subflows else flow


def _called(ref: str, flow: Flow, find: Find, callers: Sequence[Flow]) -> Flow | Finding:
    called = find(ref, flow)
    if isinstance(called, str):
        return _finding("FLOW-019", called, "`atomiton list` shows the flows there are")
    paths = [caller.path for caller in callers]
    if called.path in paths:
        circle = [*callers[paths.index(called.path) :], called]
        names = " -> ".join(each.id for each in circle)
        return _finding(
            "FLOW-020", f"the flows call each other in a circle: {names}", "one must not call the next"
        )
    if len(callers) > MAX_CALLS:
        return _finding("FLOW-013", f"at most {MAX_CALLS} flows may call each other in a row", None)
    linked = _link(called, find, (*callers, called))
    if isinstance(linked, Flow):
        return linked
    reasons = "; ".join(finding.message for finding in linked)
    code = linked[0].code if len(linked) == 1 else "FLOW-019"
    return _finding(code, f"the flow `{ref}` cannot be executed: {reasons}", linked[0].hint)


def _finding(code: str, message: str, hint: str | None) -> Finding:
    return Finding(code=code, message=message, path=(), hint=hint)


def _calls(nodes: Sequence[Node], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield the place and text of every reference to a flow."""
    for node in nodes:
        place = (*path, node.id)
        if node.calls is not None:
            yield (*place, "flow"), node.calls
        if node.body is not None:
            yield from _calls(node.body.nodes, (*place, "nodes"))
