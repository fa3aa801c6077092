"""`atomiton nodes TYPE --try` executes what a type's declaration shows."""

from pathlib import Path

import pytest

from tests.doubles.terminal import atomiton

TYPE = '''
from typing import Annotated, ClassVar
import msgspec
from atomiton_runtime.nodes.base import Example, NodeError, NodeType, Port, Reply

class P(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    times: Annotated[int, msgspec.Meta(description="How often.", ge=1)] = 1

class Repeat(NodeType):
    """Repeats a text, and keeps it in a file."""
    name = "repeat"
    ports = (Port("result", "The text."),)
    Parameters = P
    examples = (
        Example(title="Right", toml="times = 2", input="ab", outputs={"result": "abab"}, files_after={"a": "abab"}),
        EXAMPLE
    )

    def execute(self, parameters, context):
        if not isinstance(context.input, str):
            raise NodeError("REPEAT-001", "there is no text")
        text = context.input * parameters.times
        (context.folder / "a").write_text(text)
        return {"result": text}
'''
WRONG = {
    'input="x", outputs={"result": "y"}': "`result` is x, not y",
    'input="x", files_after={"a": "y"}': "the file `a` holds x, not y",
    'input="x", files_after={"b": ""}': "the file `b` cannot be read: ",
    'input="x", error="REPEAT-001"': "it succeeds, and should fail with REPEAT-001",
    "outputs={}": "it fails: there is no text (REPEAT-001)",
    'error="OTHER-001"': "it fails with REPEAT-001 (there is no text), and should with OTHER-001",
}


def shown(folder: Path, example: str) -> tuple[int, list[str]]:
    """Return what trying says about the type with this second example, and the exit code."""
    (folder / "flows" / "nodes").mkdir(parents=True, exist_ok=True)
    source = TYPE.replace("EXAMPLE", f'Example(title="Second", {example}),')
    (folder / "flows" / "nodes" / "repeat.py").write_text(source, encoding="utf-8")
    done = atomiton(folder, "nodes", "repeat", "--try")
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("example", WRONG)
def test_an_example_that_does_otherwise_is_wrong(tmp_path: Path, example: str) -> None:
    """What differs is said below the example; the other example is right all the same."""
    code, lines = shown(tmp_path, f'toml="", {example}')

    assert (code, lines[:2]) == (1, ["ok        Right", "wrong     Second"])
    assert lines[2].strip().startswith(WRONG[example])


@pytest.mark.parametrize(
    "example",
    [
        'toml="times = 0", error="PARAM-003"',
        'toml="", error="REPEAT-001"',
        'toml="", input=[], error="REPEAT-001"',
    ],
)
def test_an_example_that_fails_as_it_should_is_right(tmp_path: Path, example: str) -> None:
    """A code is expected of the check of the parameters, and of the execution."""
    assert shown(tmp_path, example) == (0, ["ok        Right", "ok        Second"])


def test_an_example_that_needs_a_server_is_left_out(tmp_path: Path) -> None:
    """Where the web would be asked, nothing is tried, and that is said."""
    code, lines = shown(tmp_path, 'toml="", replies={"GET http://example.com/": Reply()}')

    assert (code, lines[1]) == (0, "left out  Second (it needs a web server)")


def test_built_in_types_do_what_they_show(tmp_path: Path) -> None:
    """The examples of the built-in types can be tried by everybody."""
    for name in ("transform", "file-system", "loop"):
        done = atomiton(tmp_path, "nodes", name, "--try")
        assert done.returncode == 0, done.stdout


def test_trying_needs_a_type(tmp_path: Path) -> None:
    """Without a type there is nothing to try."""
    done = atomiton(tmp_path, "nodes", "--try")

    assert (done.returncode, "--try needs a TYPE" in done.stderr) == (2, True)


def test_the_list_says_where_a_type_comes_from(tmp_path: Path) -> None:
    """A type of one's own is listed with its file."""
    shown(tmp_path, 'toml="", error="REPEAT-001"')

    assert (
        "repeat         (nodes/repeat.py) Repeats a text, and keeps it in a file.\n"
        in atomiton(tmp_path, "nodes").stdout
    )
