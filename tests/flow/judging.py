"""Judges what the loader says about some bytes: a flow or problems that can be shown, the same each time."""

from functools import cache
from pathlib import Path

from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import render_problems
from atomiton_runtime.nodes.registry import NodeCatalogue

ROOT = Path(__file__).parents[2]
_PATH = Path("any.toml")


@cache
def _catalogue() -> NodeCatalogue:
    return NodeCatalogue(ROOT / "no such folder")


def examples() -> list[bytes]:
    """Return flow files, right ones and wrong ones: what a mutation begins with."""
    files = [*(ROOT / "flows").glob("*.toml"), *(ROOT / "tests" / "flow" / "bad").glob("*.toml")]
    return [file.read_bytes() for file in sorted(files)]


def judge(content: bytes) -> bool:
    """Return whether it is a flow; raise AssertionError for an answer that is none."""
    found = load_flow(content, _PATH, _catalogue())
    again = load_flow(content, _PATH, _catalogue())
    if isinstance(found, Flow):
        assert isinstance(again, Flow)
        assert found == again
        return True
    assert found == again
    assert found
    lines = content.decode("utf-8", "replace").count("\n") + 1
    for problem in found:
        assert problem.code
        assert problem.message
        assert 1 <= problem.line <= lines + 1, problem
        assert problem.column >= 1
        assert problem.width >= 1
    shown = render_problems(found)
    assert all(problem.code in shown for problem in found)
    return False
