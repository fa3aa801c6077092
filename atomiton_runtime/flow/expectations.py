"""Reads what a test gives in the place of a node, and what it expects of one."""

from collections.abc import Mapping
from typing import cast

import msgspec

from atomiton_runtime.errors import AtomitonError, ErrorInfo
from atomiton_runtime.flow.checks import check_text
from atomiton_runtime.flow.expressions import Expression, ExpressionFailed, compile_expression
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Expectation, GivenNode, Variable
from atomiton_runtime.flow.names import Use, name_faults
from atomiton_runtime.values import Value, to_document

PORTS = "ports"
NAMES = ("output", "outputs", "status", "error", "vars")
"""What an expectation may use in `when`."""
_GIVEN_KEYS = (PORTS, "error")
_EXPECTED_KEYS = (PORTS, "when")
_ERROR_KEYS = ("code", "message")
_SHOWN_NODES = 10


class Subject(msgspec.Struct, frozen=True):
    """What the tests of a flow may name."""

    ports: Mapping[str, tuple[str, ...] | None]
    """Node id -> its ports, primary first; None: its type is not known, which is reported elsewhere."""
    variables: Mapping[str, Variable]
    declared: frozenset[str]
    """The names of the variables, also of those that are declared wrongly."""

    def knows(self, node: str, path: KeyPath, findings: Findings, *, at_key: bool) -> bool:
        """Return whether the flow has this node; report it if not."""
        if node in self.ports:
            return True
        listed = ", ".join(list(self.ports)[:_SHOWN_NODES])
        more = ", ..." if len(self.ports) > _SHOWN_NODES else ""
        hint = did_you_mean(node, self.ports) or (f"there are {listed}{more}" if listed else None)
        add = findings.add_key if at_key else findings.add
        add("FLOW-009", f"there is no node `{node}`", path, hint=hint)
        return False


def read_given(
    written: object, node: str, ports: tuple[str, ...] | None, path: KeyPath, findings: Findings
) -> GivenNode | None:
    """Return what stands for an execution of a node; None when it is wrong, which is reported.

    A table with no other keys than `ports` and `error` says which outputs there are, or that the node fails; any
    other value is the primary output.
    """
    form = _form(written, _GIVEN_KEYS)
    if form is None:
        return _outputs(_value(written, path, findings), ports)
    if len(form) > 1:
        findings.add(
            "FLOW-021", f"`{node}` either gives outputs or fails", path, hint="leave one of the two out"
        )
        return None
    if "error" in form:
        return _failure(form["error"], node, (*path, "error"), findings)
    given = _ports(form[PORTS], node, ports, (*path, PORTS), findings)
    return GivenNode(outputs=dict.fromkeys(ports or ()) | given)


def _outputs(value: Value, ports: tuple[str, ...] | None) -> GivenNode:
    return GivenNode(outputs=dict.fromkeys(ports) | {ports[0]: value} if ports else {})


def _failure(written: object, node: str, path: KeyPath, findings: Findings) -> GivenNode | None:
    if not isinstance(written, dict):
        findings.wrong_kind(
            "a table", written, path, 'write `error = { code = "HTTP-001", message = "..." }`'
        )
        return None
    error = cast("dict[str, object]", written)
    findings.unknown_keys([key for key in error if key not in _ERROR_KEYS], _ERROR_KEYS, path, "`error`")
    if "code" not in error:
        findings.add_key("FLOW-003", "`error` needs a `code`", path, hint='such as "HTTP-001"')
        return None
    if not all(check_text(error[key], (*path, key), findings) for key in _ERROR_KEYS if key in error):
        return None
    message = cast(str, error.get("message", "the test lets it fail"))
    return GivenNode(error=ErrorInfo(cast(str, error["code"]), message, node))


def read_expectation(
    written: object,
    node: str,
    ports: tuple[str, ...] | None,
    subject: Subject,
    path: KeyPath,
    findings: Findings,
) -> Expectation:
    """Return what is expected of a node; what is wrong with it is reported.

    A table with no other keys than `ports` and `when` says what of which outputs is expected; any other value is
    what the primary output must be.
    """
    primary = ports[0] if ports else ""
    form = _form(written, _EXPECTED_KEYS)
    if form is None:
        return Expectation(primary=primary, values={primary: _value(written, path, findings)}, plain=True)
    values: dict[str, Value] = {}
    if PORTS in form:
        values = _ports(form[PORTS], node, ports, (*path, PORTS), findings)
    when = None
    if "when" in form:
        when = _condition(form["when"], subject, (*path, "when"), findings)
    return Expectation(primary=primary, values=values, when=when)


def _form(written: object, keys: tuple[str, ...]) -> dict[str, object] | None:
    """Return a table that has some of these keys and no other ones; None: it is a value like any other."""
    table = cast("dict[str, object]", written) if isinstance(written, dict) else {}
    return table if table and table.keys() <= {*keys} else None


def _ports(
    written: object, node: str, ports: tuple[str, ...] | None, path: KeyPath, findings: Findings
) -> dict[str, Value]:
    """Return port -> value; what is wrong is left out and reported."""
    table = cast("dict[str, object] | None", written if isinstance(written, dict) else None)
    if not table:
        hint = (
            "for the primary output, leave `ports` out"
            if ports is None
            else f"`{node}` has {', '.join(ports)}"
        )
        if table is None:
            findings.wrong_kind("a table", cast(object, written), path, hint)
        else:
            findings.add("FLOW-003", "`ports` is empty", path, hint=hint)
        return {}
    values: dict[str, Value] = {}
    for port, value in table.items():
        place = (*path, port)
        if ports is None or port in ports:
            values[port] = _value(value, place, findings)
        else:
            hint = did_you_mean(port, ports) or f"it has {', '.join(ports)}"
            findings.add_key("FLOW-010", f"node `{node}` has no port `{port}`", place, hint=hint)
    return values


def _value(written: object, path: KeyPath, findings: Findings) -> Value:
    try:
        return to_document(written)
    except AtomitonError as exc:
        findings.add(
            "FLOW-003", exc.message, path, hint="what cannot travel between nodes cannot be expected"
        )
        return None


def _condition(written: object, subject: Subject, path: KeyPath, findings: Findings) -> Expression | None:
    if not isinstance(written, str):
        findings.wrong_kind("an expression", written, path, 'such as "output.total > 10"')
        return None
    try:
        compiled = compile_expression(written)
    except ExpressionFailed as exc:
        findings.add(exc.code, f"the expression cannot be used: {exc.reason}", path, hint=exc.hint)
        return None
    for use in compiled.uses:
        _check_name(use, subject, path, findings)
    return compiled


def _check_name(use: Use, subject: Subject, path: KeyPath, findings: Findings) -> None:
    if use.name not in NAMES:
        hint = did_you_mean(use.name, NAMES) or f"there are {', '.join(NAMES)}"
        findings.add("EXPR-002", f"unknown name `{use.name}`", path, hint=hint, token=use.name)
    elif use.name == "vars":
        for fault in name_faults([use], subject.declared):
            findings.add(fault.code, fault.reason, path, hint=fault.hint, token=fault.token)
