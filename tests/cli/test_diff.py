"""`atomiton diff` tells what differs between two runs, to people and to programs."""

import json
from pathlib import Path

import click
import msgspec
import pytest

from atomiton_runtime.cli.difference import difference_lines
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.run.run_difference import compare_runs
from tests.doubles.flow_files import write_flows
from tests.doubles.terminal import Terminal, atomiton, started, wait_for_file

PRICES = """
[variables]
price = 10
fails = { type = "boolean", default = false }

[nodes.rows]
type = "edit-fields"
values = { rows = [{ id = 1, price = "{{ vars.price }}" }, { id = 2, price = 5 }] }

[nodes.look]
type = "shell-command"
input = "rows"
shell = true
program = "{{ 'exit 3' if vars.fails else 'echo fine' }}"

[nodes.after]
type = "edit-fields"
after = "look"
values = { a = 1 }

[nodes.later]
type = "edit-fields"
after = "after"
values = { a = 1 }
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_flows(tmp_path, prices=PRICES)
    return tmp_path


def run_id(place: Path, *arguments: str) -> str:
    return json.loads(atomiton(place, "run", *arguments, "--json").stdout)["run_id"]


def test_a_flow_is_compared_with_its_last_success(place: Path) -> None:
    """The last run that ended is compared with the last one before it that succeeded, whatever lies between."""
    good = run_id(place, "prices")
    run_id(place, "prices", "--fails")
    bad = run_id(place, "prices", "--fails", "--price", "12")
    run_id(place, "hello")

    shown = atomiton(place, "diff", "prices")

    assert (shown.returncode, shown.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "prices succeeded -> failed" == lines[0]
    assert lines[1].startswith(f"old {good} succeeded ")
    assert lines[2].startswith(f"new {bad} failed ")
    assert [
        "",
        "VARIABLES",
        "~ price 10 -> 12 (+2)",
        "~ fails false -> true",
        "",
        "NODES",
        "rows",
        "~ result.rows[id=1].price 10 -> 12 (+2)",
        "look succeeded -> failed",
    ] == lines[3:12]
    assert lines[12].startswith("+ SHELL-003: ")
    assert "after, later succeeded -> skipped" == lines[13]
    assert len(lines) == 14


def test_runs_are_named_as_elsewhere(place: Path) -> None:
    """A run is an id, the beginning of one or `last`; the first of two is the old one; one alone is the new one."""
    first = run_id(place, "prices")
    second = run_id(place, "prices", "--price", "11")
    for names in ([first, second], [first.lower(), "last"], ["last"], [second], ["prices"]):
        told = json.loads(atomiton(place, "diff", *names, "--json").stdout)
        assert (first, second) == (told["old"]["run_id"], told["new"]["run_id"])
        assert ["variables", "nodes"] == told["differs"]
        assert {"kind": "number", "old": 10, "new": 11, "delta": 1} == told["variables"]["changed"]["price"]
    turned = json.loads(atomiton(place, "diff", second, first, "--json").stdout)
    assert second == turned["old"]["run_id"]


def test_no_difference_is_said_plainly(place: Path) -> None:
    """Two runs with the same results have no difference, and no sections."""
    run_id(place, "prices")
    run_id(place, "prices")
    shown = atomiton(place, "diff", "prices")
    assert shown.returncode == 0
    assert shown.stdout.endswith("\n\nno difference\n")
    assert len(shown.stdout.splitlines()) == 5


def test_another_version_of_the_flow(place: Path) -> None:
    """A flow that was edited between the runs is another definition; two different flows are said to be that."""
    first = run_id(place, "prices")
    write_flows(place, prices=PRICES.replace("echo fine", "echo good"))
    run_id(place, "prices")
    shown = atomiton(place, "diff", "prices").stdout
    line = PRICES[: PRICES.index("program")].count("\n") + 1
    assert f"DEFINITION\n  ~  flows/prices.toml:{line}  nodes.look.program  " in shown
    assert "    -  stdout:1  fine\n    +  stdout:1  good\n" in shown
    for kept in place.rglob("*"):
        if len(kept.name) == 64 and b"echo good" in kept.read_bytes():
            kept.unlink()
    forgotten = atomiton(place, "diff", "prices").stdout
    assert "DEFINITION\n  another version of the flow's file; which keys differ is not known" in forgotten
    run_id(place, "hello")
    other = atomiton(place, "diff", first, "last").stdout
    assert other.startswith("prices -> hello succeeded\n")
    assert "DEFINITION\n  two different flows\n" in other


def test_what_cannot_be_compared(place: Path) -> None:
    """Runs that are not there, and flows without a success, are errors with a hint and exit code 2."""
    for names in (["prices"], ["last"], ["01XX", "last"]):
        missing = atomiton(place, "diff", *names)
        assert (2, "") == (missing.returncode, missing.stdout)
        assert "error[RUN-001]" in missing.stderr
    run_id(place, "prices", "--fails")
    for name in ("prices", "last"):
        failed = atomiton(place, "diff", name)
        assert (2, "") == (failed.returncode, failed.stdout)
        assert "error[CLI-026]: no run of prices has succeeded before 01" in failed.stderr
        assert "atomiton history prices" in failed.stderr


def test_a_run_that_has_not_ended(place: Path) -> None:
    """A flow none of whose runs has ended has nothing to compare; a run that goes on, named, is compared as it is."""
    good = run_id(place, "prices")
    with started(place, "run", "slow"):
        wait_for_file(place / "flows" / "started")
        nothing = atomiton(place, "diff", "slow")
        assert (2, "") == (nothing.returncode, nothing.stdout)
        assert "error[CLI-026]: no run of slow has ended yet" in nothing.stderr
        told = json.loads(atomiton(place, "diff", good, "last", "--json").stdout)
        assert "running" == told["new"]["status"]


def test_colours_are_for_terminals(place: Path) -> None:
    """A terminal shows the signs in colours, a pipe without."""
    run_id(place, "prices")
    run_id(place, "prices", "--price", "11")
    assert "\x1b" not in atomiton(place, "diff", "prices").stdout
    with Terminal(place, "diff", "prices") as terminal:
        assert terminal.wait() == 0
        assert "price  10 -> 11 (+1)" in terminal.text


# -- what the flows above cannot show ---------------------------------------------------------------------------

ERROR = ErrorInfo("RUN-008", "the run took longer than 1 s", hint="raise it")
RUN = RunDocument(
    run_id=RunId("R1"),
    flow=FlowId("prices"),
    status="succeeded",
    trigger="cli",
    started_at="2026-11-23T19:15:00.123Z",
    duration_s=2.0,
    flow_hash="f00d",
    variables={},
    outputs={},
    nodes={},
    error=None,
)


def lines(new: RunDocument, old: RunDocument = RUN, **more: object) -> list[str]:
    """Return the lines below the heading."""
    return difference_lines(compare_runs(old, new, **more))[3:]  # pyright: ignore[reportArgumentType]


def test_the_keys_of_the_definition_have_lines() -> None:
    """Each key shows its line; what was removed shows where it was."""
    new = msgspec.structs.replace(RUN, flow_hash="beef")
    old_source, new_source = "a = 1\nb = 2\n", "# why\na = 3\n"
    called = {"/flows/mail.toml": "1"}
    told = compare_runs(RUN, new, old_source=old_source, new_source=new_source, new_called=called)
    shown = difference_lines(told, "a.toml")[3:]
    assert [
        "",
        "DEFINITION",
        "  ~  a.toml:2       a  1 -> 3 (+2)",
        "  -  line 2 before  b  2",
        "  another version of the called flow /flows/mail.toml",
    ] == list(map(_plain, shown))
    assert "  only comments, layout or the order of keys" in lines(
        new, old_source=old_source, new_source="b = 2\na = 1"
    )
    many = lines(new, old_source="", new_source="\n".join(f"k{n} = {n}" for n in range(300)))
    assert "  … and 260 more" == many[-1]


def _plain(line: str) -> str:
    return click.unstyle(line)


def test_iterations_are_shown_in_part() -> None:
    """Of the nodes within a body, and of the nodes of a flow, the first are shown and the others counted."""

    def gave(names: list[str], value: int) -> RunDocument:
        nodes = {name: NodeDocument(status="succeeded", outputs={"n": value}) for name in names}
        return msgspec.structs.replace(RUN, nodes=nodes)

    children = [f"each/{n}/a" for n in range(9)]
    shown = list(map(_plain, lines(gave(children, 2), gave(children, 1))))
    assert ["  each/2/a", "    ~  n  1 -> 2 (+1)", "  … and 6 more nodes within each"] == shown[-3:]
    others = [f"n{n}" for n in range(41)]
    assert "  … and 1 more node" == lines(gave(others, 2), gave(others, 1))[-1]
    new = [f"n{n}" for n in range(5)]
    assert ["  n0, n1, n2 and 2 more  only in the new run: succeeded"] == list(
        map(_plain, lines(gave(new, 1))[-1:])
    )


def test_an_error_that_no_node_has_is_shown() -> None:
    """A run that took too long says so, though no node differs; a node's own change of errors shows both."""
    late = msgspec.structs.replace(RUN, status="timed_out", error=ERROR)
    assert ["", "ERROR", "  error[RUN-008]: the run took longer than 1 s", "    hint: raise it"] == list(
        map(_plain, lines(late))
    )
    failed = NodeDocument(status="failed", error=ErrorInfo("HTTP-004", "404"))
    again = msgspec.structs.replace(failed, error=ErrorInfo("HTTP-001", "no answer"))
    old, new = (
        msgspec.structs.replace(RUN, status="failed", error=node.error, nodes={"fetch": node})
        for node in (failed, again)
    )
    assert ["", "NODES", "  fetch", "    -  HTTP-004: 404", "    +  HTTP-001: no answer"] == list(
        map(_plain, lines(new, old))
    )


def test_a_notable_duration_is_shown() -> None:
    """A node that took much longer is a line, and the only difference that there is."""
    fast, slow = (
        msgspec.structs.replace(RUN, nodes={"fetch": NodeDocument(status="succeeded", duration_s=duration_s)})
        for duration_s in (0.1, 3.2)
    )
    assert ["", "TIMING", "  fetch  100 ms -> 3.2 s", "", "no difference but the time taken"] == list(
        map(_plain, lines(slow, fast))
    )
