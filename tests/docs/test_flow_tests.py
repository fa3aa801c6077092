"""The tests of flows that the documentation shows pass."""

import re
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.flow_tests.execution import run_tests

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def flow_of(document: str) -> str:
    """Return the flow that the tests of a document are of, with the tests."""
    blocks = BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))
    tests = [block for block in blocks if "[[test]]" in block]
    flow = [] if "[nodes." in tests[0] else [next(block for block in blocks if "[nodes.loud]" in block)]
    return "\n".join([*flow, *tests])


@pytest.mark.parametrize(("document", "count"), [("README.md", 1), ("docs/flow-format.md", 2)])
def test_the_tests_shown_pass(tmp_path: Path, document: str, count: int) -> None:
    """Each does what the page says, and nothing is written."""
    (tmp_path / "shown.toml").write_text(flow_of(document))
    with Runtime(flows=tmp_path, storage="memory:") as runtime:
        flow = runtime.flow("shown")
        outcomes = list(run_tests(runtime, [(flow, test) for test in flow.tests]))

    assert [()] * count == [each.mismatches for each in outcomes]
    assert ["shown.toml"] == [path.name for path in tmp_path.iterdir()]
