"""Reads the parameters of a node: data with templates and expressions in it, then what its type says to them."""

import math
from collections.abc import Collection, Mapping, Sequence
from keyword import iskeyword
from typing import Self, cast

import msgspec

from atomiton_runtime.flow.catalogue import COMMON_KEYS, NodeTypeInfo, ParameterInfo, ParameterKind
from atomiton_runtime.flow.expressions import (
    Expression,
    ExpressionFailed,
    Template,
    Templated,
    compile_expression,
    compile_template,
)
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.lookup import closest
from atomiton_runtime.flow.names import OF_ITEMS, OUTER, name_faults
from atomiton_runtime.flow.program import is_template

MAX_DEPTH = 250
"""Most keys and places from the top of a file to a value; what nodes hand to each other is at most 200 deep."""
_IN_BODIES = frozenset(("item", "index"))
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_KNOWN_LATER = compile_expression("input")


class KnownType(msgspec.Struct, frozen=True):
    """A node type, with what is asked of it for every node."""

    info: NodeTypeInfo
    required: Sequence[str]
    """The parameters that no node may lack."""
    code: Sequence[str]
    """The parameters of the kind `code`."""
    names: Sequence[tuple[str, ParameterKind]]
    """The parameters that name a child or a flow, each with its kind."""

    @classmethod
    def of(cls, info: NodeTypeInfo) -> Self:
        """Return what is asked of a type."""
        known = info.parameters.items()
        return cls(
            info,
            tuple(name for name, each in known if each.required),
            tuple(name for name, each in known if each.kind == "code"),
            tuple((name, each.kind) for name, each in known if each.kind in ("child", "flow")),
        )


class Surroundings(msgspec.Struct, frozen=True):
    """What the expressions of a node may use."""

    variables: frozenset[str]
    """The names of the flow's variables."""
    in_body: bool = False
    loops: int = 0
    """How many loops are around."""

    @property
    def repeats(self) -> Collection[str]:
        """The names of an iteration that exist in templates and conditions here."""
        if not self.in_body:
            return ()
        return _IN_BODIES if self.loops < 2 else (*_IN_BODIES, OUTER)

    @property
    def over_items(self) -> Collection[str]:
        """The names that exist in expressions over items here."""
        return OF_ITEMS if not self.in_body else (*OF_ITEMS, OUTER)


def read_parameters(
    written: Mapping[str, object],
    known_type: KnownType,
    surroundings: Surroundings,
    path: KeyPath,
    findings: Findings,
) -> dict[str, Templated]:
    """Return the parameters of a node, compiled; what is wrong is left out and reported.

    Args:
        written: the node's table, without the common keys.
        known_type: what they must fit.
        surroundings: what expressions may use.
        path: of the node's table.
        findings: what to report to.
    """
    node_type = known_type.info
    known = node_type.parameters
    parameters: dict[str, Templated] = {}
    wrong: set[str] = set()
    misspelt: set[str | None] = set()
    for name, value in written.items():
        info = known.get(name)
        if info is None:
            misspelt.add(_report_unknown(name, node_type, path, findings))
            continue
        before = len(findings.found)
        parameters[name] = _read_parameter(value, info, surroundings, path, findings)
        if len(findings.found) > before:
            wrong.add(name)
    lacking = [name for name in known_type.required if name not in written]
    for name in lacking:
        if name not in misspelt:
            message = f"node `{path[-1]}` lacks `{name}`, which {node_type.name} needs"
            findings.add_key("PARAM-005", message, path)
    _report_complaints(parameters, node_type, wrong, bool(misspelt or lacking), path, findings)
    return parameters


def _read_parameter(
    value: object, info: ParameterInfo, surroundings: Surroundings, path: KeyPath, findings: Findings
) -> Templated:
    place = (*path, info.name)
    if info.kind == "code" and isinstance(value, str):
        return value
    if info.kind in ("child", "flow") and isinstance(value, str):
        return _read_name(value, place, findings)
    if info.kind == "key" and isinstance(value, str) and _names_a_key(value):
        return compile_expression(value)
    if info.kind in ("expression", "key") and isinstance(value, str):
        return read_expression(value, surroundings.variables, surroundings.over_items, place, findings)
    return _read_value(value, surroundings, place, findings)


def _read_name(value: str, place: KeyPath, findings: Findings) -> str:
    if is_template(value):
        hint = "write the name itself: who calls whom is known before anything runs"
        findings.add("FLOW-017", f"`{place[-1]}` cannot be a template", place, hint=hint)
    return value


def _report_complaints(
    parameters: Mapping[str, Templated],
    node_type: NodeTypeInfo,
    wrong: Collection[str],
    incomplete: bool,
    path: KeyPath,
    findings: Findings,
) -> None:
    """Report what the node type has to say, without what follows from a problem that is reported already.

    Args:
        parameters: those whose name is known.
        node_type: who is asked.
        wrong: parameters with problems of their own; they are shown to the type as known later.
        incomplete: whether some are missing or misspelt: how they fit together then says nothing.
        path: of the node's table.
        findings: what to report to.
    """
    shown: Mapping[str, object] = parameters
    if wrong:
        shown = {name: _KNOWN_LATER if name in wrong else value for name, value in parameters.items()}
    for complaint in node_type.check(shown):
        if complaint.path or not incomplete:
            place = (*path, *complaint.path)
            findings.add(
                complaint.code, complaint.message, place, hint=complaint.hint, within=complaint.within
            )


def _names_a_key(text: str) -> bool:
    """Return whether a parameter of the kind `key` is a bare name, and no name or word of the language."""
    name = text.strip()
    return name.isascii() and name.isidentifier() and name not in OF_ITEMS and not iskeyword(name)


def _report_unknown(name: str, node_type: NodeTypeInfo, path: KeyPath, findings: Findings) -> str | None:
    """Report a parameter that its type does not have; return the one that was probably meant."""
    known = sorted(node_type.parameters)
    meant = closest(name, [*known, *COMMON_KEYS])
    hint = f"did you mean `{meant}`?" if meant else f"its parameters are: {', '.join(known)}"
    findings.add_key("PARAM-001", f"{node_type.name} has no parameter `{name}`", (*path, name), hint=hint)
    return meant


def _read_value(value: object, surroundings: Surroundings, path: KeyPath, findings: Findings) -> Templated:
    match value:  # the most frequent first
        case str():
            return _read_text(value, surroundings, path, findings)
        case bool():
            return value
        case int():
            if not _INT_MIN <= value <= _INT_MAX:
                findings.add("TOML-008", "an integer of TOML has at most 64 bits", path)
            return value
        case float():
            if not math.isfinite(value):
                findings.add("FLOW-005", f"{value} is no value that nodes can work with", path)
            return value
        case list() | dict() if len(path) >= MAX_DEPTH:
            findings.add("TOML-006", "lists or tables are nested too deep", path)
            return None
        case list():
            entries = cast("list[object]", value)
            return [
                _read_value(entry, surroundings, (*path, place), findings)
                for place, entry in enumerate(entries)
            ]
        case dict():
            table = cast("dict[str, object]", value)
            return {
                key: _read_value(entry, surroundings, (*path, key), findings) for key, entry in table.items()
            }
        case _:
            return str(cast("object", getattr(value, "isoformat", value.__str__)()))


def _read_text(text: str, surroundings: Surroundings, path: KeyPath, findings: Findings) -> Templated:
    try:
        compiled = compile_template(text)
    except ExpressionFailed as exc:
        findings.add(exc.code, _about(exc), path, hint=exc.hint)
        return text
    if isinstance(compiled, Template):
        _report_names(compiled, surroundings.variables, surroundings.repeats, path, findings)
    return compiled


def read_expression(
    text: str, variables: Collection[str], repeats: Collection[str], path: KeyPath, findings: Findings
) -> Expression | None:
    """Return a bare expression, compiled; None when it is wrong, which is reported."""
    try:
        compiled = compile_expression(text)
    except ExpressionFailed as exc:
        findings.add(exc.code, _about(exc), path, hint=exc.hint)
        return None
    _report_names(compiled, variables, repeats, path, findings)
    return compiled


def _about(failure: ExpressionFailed) -> str:
    return f"the expression cannot be used: {failure.reason}"


def _report_names(
    compiled: Template | Expression,
    variables: Collection[str],
    repeats: Collection[str],
    path: KeyPath,
    findings: Findings,
) -> None:
    for fault in name_faults(compiled.uses, variables, repeats=repeats):
        findings.add(fault.code, fault.reason, path, hint=fault.hint, token=fault.token)
