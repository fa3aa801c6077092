"""Reads the `[[test]]` tables of a flow: what a run of it is given, and what is expected of that."""

from collections.abc import Mapping
from typing import Literal, cast, get_args

from atomiton_runtime.flow.catalogue import Catalogue
from atomiton_runtime.flow.checks import check_choice, check_text
from atomiton_runtime.flow.expectations import Subject, read_expectation, read_given
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.model import ExpectedStatus, FlowTest
from atomiton_runtime.flow.variables import VariablesInvalid, check_variables
from atomiton_runtime.ids import NodeId
from atomiton_runtime.values import Value

TEST_KEY = "test"
_KEYS = ("name", "variables", "given", "expect", "expect_status", "allow")
_STATUSES = cast("tuple[str, ...]", get_args(ExpectedStatus))
_ALLOW = 'write `allow = ["save"]`, or `allow = "all"`'


def ports_of(nodes: object, catalogue: Catalogue) -> dict[str, tuple[str, ...] | None]:
    """Return node id -> its ports, primary first, of a `nodes` table as written; None: its type is not known."""
    if not isinstance(nodes, dict):
        return {}
    ports: dict[str, tuple[str, ...] | None] = {}
    for name, node in cast("dict[str, object]", nodes).items():
        kind = cast("dict[str, object]", node).get("type") if isinstance(node, dict) else None
        found = catalogue.find(kind) if isinstance(kind, str) else None
        ports[name] = None if found is None else found.ports
    return ports


def read_tests(written: object, subject: Subject, findings: Findings) -> tuple[FlowTest, ...]:
    """Return the tests of a file; what is wrong with them is reported.

    Args:
        written: the value of the key `test`.
        subject: what the tests may name.
        findings: where problems go.
    """
    path: KeyPath = (TEST_KEY,)
    if not isinstance(written, list):
        findings.wrong_kind("a list of tables", written, path, "write `[[test]]`, with two brackets")
        return ()
    tests: list[FlowTest] = []
    for index, test in enumerate(cast("list[object]", written)):
        if isinstance(test, dict):
            reader = _Reader(cast("dict[str, object]", test), (*path, index), subject, findings)
            tests.append(reader.read(index))
        else:
            findings.wrong_kind("a table", test, (*path, index), "write `[[test]]` and its keys below")
    return tuple(tests)


class _Reader:
    """Reads one test."""

    def __init__(
        self, written: Mapping[str, object], path: KeyPath, subject: Subject, findings: Findings
    ) -> None:
        self._written = written
        self._path = path
        self._subject = subject
        self._findings = findings

    def read(self, index: int) -> FlowTest:
        unknown = [key for key in self._written if key not in _KEYS]
        self._findings.unknown_keys(unknown, _KEYS, self._path, "a test")
        test = FlowTest(
            index=index,
            name=self._name(index),
            variables=self._variables(),
            given={
                NodeId(node): given
                for node, ports, value, path in self._by_node("given")
                if (given := read_given(value, node, ports, path, self._findings)) is not None
            },
            expect={
                NodeId(node): read_expectation(value, node, ports, self._subject, path, self._findings)
                for node, ports, value, path in self._by_node("expect")
            },
            status=self._status(),
            allow=self._allow(),
        )
        if not unknown and not self._written.get("expect") and "expect_status" not in self._written:
            hint = 'write what an output must be: `expect.NODE = ...`; or `expect_status = "failed"`'
            self._findings.add_key("FLOW-021", "the test expects nothing", self._path, hint=hint)
        return test

    def _name(self, index: int) -> str:
        name = self._written.get("name", "")
        if check_text(name, (*self._path, "name"), self._findings) and cast(str, name).strip():
            return cast(str, name)
        return f"test {index + 1}"

    def _status(self) -> ExpectedStatus:
        wanted, path = self._written.get("expect_status", "succeeded"), (*self._path, "expect_status")
        return (
            cast(ExpectedStatus, wanted)
            if check_choice(wanted, _STATUSES, path, self._findings)
            else "succeeded"
        )

    def _table(self, key: str) -> Mapping[str, object]:
        written = self._written.get(key, {})
        if isinstance(written, dict):
            return cast("dict[str, object]", written)
        self._findings.wrong_kind("a table", written, (*self._path, key))
        return {}

    def _variables(self) -> dict[str, Value]:
        """Return the value of every variable; each that does not fit is reported where it is set."""
        variables, set_here = self._subject.variables, self._table("variables")
        values: dict[str, Value] = {}
        for name, value in set_here.items():
            if name in variables or name not in self._subject.declared:
                values |= self._checked(name, value)
        for name, variable in variables.items():
            if name not in set_here and variable.required:
                hint = f"give it a value: `variables = {{ {name} = ... }}`"
                message = f"the test does not set the variable `{name}`, which is required"
                self._findings.add_key("VAR-012", message, self._path, hint=hint)
        return {name: values.get(name, variable.default) for name, variable in variables.items()}

    def _checked(self, name: str, value: object) -> dict[str, Value]:
        known = self._subject.variables
        try:
            return check_variables(
                {name: known[name]} if name in known else known, {name: value}, from_text=False
            )
        except VariablesInvalid as invalid:
            error = invalid.errors[0]  # what is unknown comes first
            add = self._findings.add if name in known else self._findings.add_key
            add(error.code, error.message, (*self._path, "variables", name), hint=error.hint)
            return {}

    def _by_node(self, key: str) -> list[tuple[str, tuple[str, ...] | None, object, KeyPath]]:
        """Return node, its ports, what is written of it and where, of those nodes that are there."""
        return [
            (node, self._subject.ports[node], value, (*self._path, key, node))
            for node, value in self._table(key).items()
            if self._subject.knows(node, (*self._path, key, node), self._findings, at_key=True)
        ]

    def _allow(self) -> frozenset[NodeId] | Literal["all"]:
        written, path = self._written.get("allow", []), (*self._path, "allow")
        if written == "all":
            return "all"
        if not isinstance(written, list):
            self._findings.wrong_kind("a list of nodes", written, path, _ALLOW)
            return frozenset()
        allowed: set[NodeId] = set()
        for place, node in enumerate(cast("list[object]", written)):
            if not isinstance(node, str):
                self._findings.wrong_kind("a node's name", node, (*path, place), _ALLOW)
            elif self._subject.knows(node, (*path, place), self._findings, at_key=False):
                allowed.add(NodeId(node))
        return frozenset(allowed)
