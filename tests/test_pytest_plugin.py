"""What pytest makes of flow files with tests, in processes of its own."""

import subprocess
import sys
from pathlib import Path

from tests.doubles.terminal import ROOT

FLOW = """\
[nodes.a]
type = "edit-fields"
values = { n = 1 }

[nodes.b]
type = "shell-command"
program = "touch"
args = ["written"]
"""
RIGHT = "[[test]]\nname = 'right'\nexpect.a = { n = 1 }\n"
WRONG = "[[test]]\nname = 'wrong'\nexpect.a = { n = 2 }\n"
LIMIT_S = 50


def pytest_of(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest in a folder, with the plug-in and nothing else of this project."""
    # Named here, for an older installation beside the sources would not know it as an entry point.
    line = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *_plugin(), *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def _plugin() -> list[str]:
    from importlib.metadata import entry_points

    names = {point.value for point in entry_points(group="pytest11")}
    return [] if "atomiton_runtime.pytest_plugin" in names else ["-p", "atomiton_runtime.pytest_plugin"]


def test_a_test_for_each_table(tmp_path: Path) -> None:
    """Each `[[test]]` is a test of its own; a failure shows what was expected and what came, without a traceback."""
    (tmp_path / "it.toml").write_text(FLOW + RIGHT + WRONG)
    shown = pytest_of(tmp_path)
    assert 1 == shown.returncode, shown.stdout + shown.stderr
    assert "1 failed, 1 passed" in shown.stdout
    assert "it.toml:14: `result` of `a` is not what the test expects\n" in shown.stdout
    assert '-   "n": 2\n' in shown.stdout
    assert '+   "n": 1\n' in shown.stdout
    assert "Traceback" not in shown.stdout
    assert ".py:" not in shown.stdout
    assert "FAILED it.toml::wrong" in shown.stdout
    assert not (tmp_path / "written").exists()


def test_tests_by_name(tmp_path: Path) -> None:
    """The options of pytest that choose tests choose these as well."""
    (tmp_path / "it.toml").write_text(FLOW + RIGHT + WRONG)
    assert "1 passed, 1 deselected" in pytest_of(tmp_path, "-k", "right").stdout
    assert "1 passed" in pytest_of(tmp_path, "it.toml::right").stdout


def test_a_refused_test(tmp_path: Path) -> None:
    """A test that would write fails, and says how to allow it."""
    (tmp_path / "it.toml").write_text(FLOW + "[[test]]\nexpect.b = ''\n")
    shown = pytest_of(tmp_path)
    assert "(RUN-024)" in shown.stdout
    assert 'allow = ["b"]' in shown.stdout
    assert not (tmp_path / "written").exists()


def test_a_broken_flow(tmp_path: Path) -> None:
    """A flow with problems is an error that shows all of them as `check` does."""
    (tmp_path / "it.toml").write_text(FLOW + "[[test]]\nexpect.c = 1\nexpect.d = 1\n")
    shown = pytest_of(tmp_path)
    assert 2 == shown.returncode
    assert 2 == shown.stdout.count("error[FLOW-009]")
    assert "Traceback" not in shown.stdout


def test_a_flow_that_cannot_be_loaded_when_it_runs(tmp_path: Path) -> None:
    """A flow that calls one that is not there fails its tests with the reason, without a traceback."""
    (tmp_path / "it.toml").write_text('[nodes.a]\ntype = "flow"\nflow = "gone"\n[[test]]\nexpect.a = 1\n')
    shown = pytest_of(tmp_path)
    assert 1 == shown.returncode
    assert "(FLOW-019)" in shown.stdout
    assert ".py:" not in shown.stdout


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """TOML that is no flow with tests, broken or huge as it may be, is nothing to pytest."""
    (tmp_path / "pyproject.toml").write_text("[tool.nodes.x]\n[[test]]\n")
    (tmp_path / "broken.toml").write_text("[[test]]\n=")
    (tmp_path / "flow.toml").write_text(FLOW)
    (tmp_path / ".hidden.toml").write_text(FLOW + WRONG)
    (tmp_path / "huge.toml").write_text(FLOW + WRONG + "# " + "x" * 1024 * 1024)
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere.toml")
    (tmp_path / "notes.txt").write_text(FLOW + WRONG)
    assert 5 == pytest_of(tmp_path).returncode  # no tests


def test_it_costs_other_projects_nothing(tmp_path: Path) -> None:
    """In a project without flows nothing of the package but the plug-in is loaded, and the package needs no pytest."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    loaded = {name for name in sys.modules if name.startswith('atomiton_runtime')}\n"
        "    assert loaded == {'atomiton_runtime', 'atomiton_runtime.pytest_plugin'}\n"
    )
    shown = pytest_of(tmp_path)
    assert 0 == shown.returncode, shown.stdout
    code = "import sys, atomiton_runtime.runtime, atomiton_runtime.cli.app; sys.exit('pytest' in sys.modules)"
    assert (
        0 == subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=LIMIT_S, check=False).returncode
    )
