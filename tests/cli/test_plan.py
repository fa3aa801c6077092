import json
from pathlib import Path

import pytest

from tests.doubles.flow_files import BROKEN, HELLO, REQUIRED, write_flows
from tests.doubles.terminal import atomiton

EFFECTS = """
[variables]
out = "out"
[nodes.list]
type = "edit-fields"
values = { names = ["a", "b"], url = "http://127.0.0.1:9/x" }
[nodes.each]
type = "loop"
input = "list"
items = "{{ input.names }}"
[nodes.each.nodes.save]
type = "file-system"
operation = "write"
path = "out/{{ item }}.txt"
content = "x"
[nodes.ask]
type = "http-request"
url = "http://127.0.0.1:9/{{ vars.out }}"
headers = { Authorization = "Bearer {{ secrets.TOKEN }}" }
[nodes.send]
type = "http-request"
method = "POST"
url = "http://127.0.0.1:9/{{ input.url }}"
input = "list"
[nodes.delete]
type = "file-system"
operation = "delete"
path = "{{ vars.out }}/old"
after = "list"
[nodes.call]
type = "shell-command"
program = "echo"
args = ["{{ secrets.TOKEN }}"]
after = "list"
[nodes.code]
type = "python"
code = "def run(input, vars):\\n    return 1"
after = "list"
[nodes.either]
type = "file-system"
operation = "{{ input.how }}"
path = "x"
input = "list"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_flows(tmp_path, effects=EFFECTS)
    return tmp_path


def rows(text: str) -> dict[str, str]:
    """Return first word of each line -> the rest, blanks made one."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines() if line.strip()}


def test_what_changed_is_run_and_says_where(place: Path) -> None:
    """A reason has the place in the file as the user would type it; what is not changed is reused."""
    assert "greeting run it has no result yet" in " ".join(atomiton(place, "plan", "hello").stdout.split())
    atomiton(place, "run", "hello")
    assert rows(atomiton(place, "plan", "hello").stdout)["greeting"].startswith("reuse its result of run 01")
    flow = place / "flows" / "hello.toml"
    flow.write_text(HELLO.replace("Hello {{", "Bye {{"), encoding="utf-8")
    shown = atomiton(place, "plan", "hello")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines()[0] == "hello 1 run"
    assert rows(shown.stdout)["greeting"].startswith("run parameter `values` ")
    assert rows(shown.stdout)["greeting"].endswith(", flows/hello.toml:12")


def test_variables_and_choices_are_those_of_a_run(place: Path) -> None:
    """Variables are flags, and `--fresh`, `--from` and `--only` choose nodes."""
    atomiton(place, "run", "two")
    atomiton(place, "run", "hello")
    shown = rows(atomiton(place, "plan", "hello", "--who", "Ada").stdout)
    assert shown["greeting"].startswith("run parameter `values`")
    assert rows(atomiton(place, "plan", "two", "--fresh").stdout)["a"] == "run everything was asked for"
    chosen = rows(atomiton(place, "plan", "two", "--from", "b").stdout)
    assert (chosen["a"][:5], chosen["b"]) == ("reuse", "run it was asked for")
    assert rows(atomiton(place, "plan", "two", "--only", "b").stdout)["a"].startswith(
        "skip only b was asked for"
    )


def test_the_plan_as_json(place: Path) -> None:
    """`--json` gives verdicts, reasons and sources."""
    document = json.loads(atomiton(place, "plan", "hello", "--json").stdout)
    assert set(document) == {"flow", "path", "on_save", "nodes"}
    assert document["nodes"] == {
        "greeting": {"verdict": "run", "reasons": [{"message": "it has no result yet"}]}
    }


@pytest.mark.parametrize("secret", ["", "very-secret-token"])
def test_what_nodes_would_do_outside(place: Path, secret: str) -> None:
    """Each effect is told before it happens; what the input decides as it is written, and secrets never."""
    more = {"ATOMITON_SECRET_TOKEN": secret} if secret else {}
    shown = atomiton(place, "plan", "effects", **more)
    assert shown.returncode == 0
    assert "very-secret-token" not in shown.stdout + shown.stderr
    assert ("SECRET-" in shown.stdout) == (not secret)
    does = rows(shown.stdout.split("DOES OUTSIDE")[1])
    assert does["each"] == "save: writes out/{{ item }}.txt"
    assert does["send"] == "POST http://127.0.0.1:9/{{ input.url }}"
    assert does["delete"] == "deletes out/old"
    assert does["call"] == "runs echo {{ secrets.TOKEN }}"
    assert does["code"] == "calls run()"
    assert does["either"] == "changes something that its input decides"
    if secret:
        assert does["ask"] == "GET http://127.0.0.1:9/out"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere",), "FLOW-404"),
        (("broken",), "FLOW-008"),
        (("hello", "--from", "greetin"), "RUN-025"),
        (("hello", "--fresh", "--only", "greeting"), "RUN-026"),
        (
            (
                "hello",
                "--who",
            ),
            "CLI-001",
        ),
        (("required",), "VAR-012"),
    ],
)
def test_what_cannot_be_planned(place: Path, arguments: tuple[str, ...], code: str) -> None:
    """What a run would refuse, its plan refuses."""
    write_flows(place, broken=BROKEN, required=REQUIRED)
    shown = atomiton(place, "plan", *arguments)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert f"error[{code}]" in shown.stderr


def test_a_flow_that_no_save_runs(place: Path) -> None:
    """With `on_save = "off"` the plan says so, and is about a run by hand."""
    write_flows(place, hello='[settings]\non_save = "off"\n' + HELLO.split("\n", 2)[2])
    lines = atomiton(place, "plan", "hello").stdout.splitlines()
    assert lines[1].startswith('on_save = "off": a save executes nothing')
