"""Takes over what came as what is expected, in the flow's file."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow_tests.execution import TestOutcome, run_tests
from atomiton_runtime.flow_tests.updating import update

TEXT = """\
[nodes.a]   # its output changes
type = "edit-fields"
values = { n = 2 }

[nodes.b]
type = "edit-fields"
values = { nothing = "{{ none }}" }

[[test]]
name = "both"
expect.a = { n = 1 }   # kept
expect.b = [1]
[[test]]
expect.a = { ports = { result.n = 1 }, when = "output.n == 1" }
[[test]]
name = "right"
expect.a = { n = 2 }
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(flows=tmp_path, storage="memory:") as started:
        yield started


def tried(runtime: Runtime, text: str = TEXT) -> tuple[Flow, Path, list[TestOutcome]]:
    """Execute the tests of a flow with this text."""
    path = runtime.places.flows / "it.toml"
    path.write_text(text)
    flow = runtime.flow("it")
    return flow, path, list(run_tests(runtime, [(flow, test) for test in flow.tests]))


def test_values_are_taken_over(runtime: Runtime) -> None:
    """Values of failed tests are replaced in place; what is written by keys, and expressions, stays and is told."""
    flow, path, outcomes = tried(runtime)
    path.chmod(0o640)
    updates = update(flow, outcomes)

    expected = TEXT.replace("expect.a = { n = 1 }   #", "expect.a = { n = 2 }   #").replace("= [1]", "= {}")
    assert expected == path.read_text()
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)
    assert [("both", "a.result", 11), ("both", "b.result", 12), ("test 2", "a.result", 14)] == [
        (each.name, each.expected, each.where.line) for each in updates
    ]
    assert [True, True, False] == [each.refused is None for each in updates]
    assert ["it.toml"] == [each.name for each in path.parent.iterdir()]


def test_nothing_to_take_over(runtime: Runtime) -> None:
    """The file of a flow whose tests pass, or failed without a value, is not written."""
    text = (
        TEXT[: TEXT.index("[[test]]")]
        + "[[test]]\nexpect.a = { n = 2 }\n[[test]]\nexpect.a = { when = 'false' }\n"
    )
    flow, path, outcomes = tried(runtime, text)
    before = path.stat().st_ino
    assert ((), before) == (update(flow, outcomes), path.stat().st_ino)


def test_only_what_cannot_be_taken_over(runtime: Runtime) -> None:
    """A file of which no value can be replaced is not written."""
    text = TEXT[: TEXT.index("[[test]]")] + "[[test]]\nexpect.a.n = 1\n"
    flow, path, outcomes = tried(runtime, text)
    before = path.stat().st_ino
    (only,) = update(flow, outcomes)
    assert only.refused is not None
    assert before == path.stat().st_ino


def test_a_file_that_has_changed_since(runtime: Runtime) -> None:
    """A file that somebody has saved meanwhile is not touched."""
    flow, path, outcomes = tried(runtime)
    path.write_text(TEXT + "# mine\n")
    with pytest.raises(UsageError, match="has changed") as refused:
        update(flow, outcomes)
    assert "TEST-001" == refused.value.code
    assert TEXT + "# mine\n" == path.read_text()


def test_a_file_that_cannot_be_written(runtime: Runtime) -> None:
    """The file stays as it is, and nothing is left beside it."""
    flow, path, outcomes = tried(runtime)
    (path.parent / ".it.toml.new").mkdir()
    with pytest.raises(UsageError, match="cannot be written") as refused:
        update(flow, outcomes)
    assert "TEST-002" == refused.value.code
    assert TEXT == path.read_text()


def test_a_link_to_a_flow_stays_one(runtime: Runtime) -> None:
    """What is written is the file that the link leads to."""
    flow, path, _ = tried(runtime)
    true = path.rename(path.with_name("true.toml"))
    path.symlink_to(true)
    flow = runtime.flow("it")
    update(flow, list(run_tests(runtime, [(flow, test) for test in flow.tests])))
    assert path.is_symlink()
    assert "expect.b = {}" in true.read_text()


def test_what_would_make_the_file_too_large(runtime: Runtime) -> None:
    """A value that no flow file can hold is not taken over."""
    text = TEXT[: TEXT.index("[[test]]")].replace("n = 2", "n = \"{{ 'x' * 1100000 }}\"")
    flow, path, outcomes = tried(runtime, f"{text}[[test]]\nexpect.a = 1\n")
    with pytest.raises(UsageError, match="larger than a flow may be"):
        update(flow, outcomes)
    assert path.stat().st_size < 1000
