"""Executes tests of flow files, and says where in the files they failed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.flow_tests.execution import run_tests

FLOW = """\
[nodes.a]
type = "edit-fields"
values = { n = 1 }
"""
TEST = "[[test]]\nname = '{name}'\nexpect.a = {{ n = {n} }}\n"


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(flows=tmp_path, storage="memory:") as started:
        yield started


def test_many_tests_of_several_flows(runtime: Runtime) -> None:
    """They come in the order in which they were given, more than are executed at once, each with its place."""
    for name in ("a", "b"):
        tests = "".join(TEST.format(name=place, n=place % 2) for place in range(25))
        (runtime.places.flows / f"{name}.toml").write_text(FLOW + tests)
    flows = [runtime.flow(name) for name in ("a", "b")]
    outcomes = list(run_tests(runtime, [(flow, test) for flow in flows for test in flow.tests]))

    assert [(name, str(place)) for name in "ab" for place in range(25)] == [
        (each.flow, each.name) for each in outcomes
    ]
    assert ["failed", "passed"] * 12 + ["failed"] == [each.status for each in outcomes[:25]]
    assert [4 + 3 * place for place in range(25)] == [each.line for each in outcomes[:25]]
    where = outcomes[2].mismatches[0].where
    assert where is not None
    assert (12, 8) == (where.line, where.column)


def test_a_test_that_is_refused(runtime: Runtime) -> None:
    """It fails with the reason, at its header."""
    path = runtime.places.flows / "a.toml"
    path.write_text('[nodes.a]\ntype = "shell-command"\nprogram = "true"\n[[test]]\nexpect.a = 1\n')
    flow = runtime.flow("a")
    (outcome,) = run_tests(runtime, [(flow, flow.tests[0])])
    (mismatch,) = outcome.mismatches
    assert "failed" == outcome.status
    assert mismatch.message.endswith("(RUN-024)")
    assert mismatch.hint is not None
    assert mismatch.where is not None
    assert 4 == mismatch.where.line


@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_has_changed_since(runtime: Runtime, gone: bool) -> None:
    """Of a file that is not the one that was loaded, no line is claimed to hold the test."""
    path = runtime.places.flows / "a.toml"
    path.write_text(FLOW + TEST.format(name="x", n=1))
    flow = runtime.flow("a")
    path.unlink() if gone else path.write_text("# new\n" + FLOW)
    (outcome,) = run_tests(runtime, [(flow, flow.tests[0])])
    assert ("passed", 1) == (outcome.status, outcome.line)


def test_a_large_value(runtime: Runtime) -> None:
    """A value that other runs keep as a file is compared as any other one."""
    value = "'" + "x" * 700_000 + "'"
    text = "[variables]\nmuch = {0}\n[nodes.a]\ntype = 'edit-fields'\nvalues = {{ n = '{{{{ vars.much * 2 }}}}' }}\n"
    test = '[[test]]\nexpect.a = { when = "output.n == vars.much ~ vars.much" }\n'
    (runtime.places.flows / "it.toml").write_text(text.format(value) + test)
    flow = runtime.flow("it")
    (outcome,) = run_tests(runtime, [(flow, flow.tests[0])])
    assert () == outcome.mismatches
