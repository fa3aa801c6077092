"""`atomiton doctor` as its users call it."""

import json
from pathlib import Path

from tests.doubles.flow_files import BROKEN, HELLO
from tests.doubles.terminal import Terminal, atomiton


def place(folder: Path, **flows: str) -> Path:
    """Write flows."""
    (folder / "flows").mkdir(mode=0o755)
    for name, content in flows.items():
        (folder / "flows" / f"{name}.toml").write_text(content, encoding="utf-8")
    return folder


def test_what_is_in_order_ends_well(tmp_path: Path) -> None:
    """Without a problem the exit code is 0; each line has its level, and the summary is on stderr."""
    shown = atomiton(place(tmp_path, hello=HELLO), "doctor")

    assert shown.returncode == 0
    assert f"  ok       flows folder       {tmp_path}/flows\n" in shown.stdout
    assert shown.stderr.startswith("0 problems, ")
    assert not (tmp_path / "data").exists()


def test_a_problem_ends_with_1(tmp_path: Path) -> None:
    """A broken flow is a problem with a hint."""
    shown = atomiton(place(tmp_path, broken=BROKEN), "doctor")

    assert shown.returncode == 1
    assert "  problem  flow " in shown.stdout
    assert "hint: `atomiton check` shows all" in shown.stdout


def test_for_programs_it_is_json(tmp_path: Path) -> None:
    """Counts first, then every finding with area, subject, level, message and hint."""
    shown = atomiton(place(tmp_path, broken=BROKEN), "doctor", "--json")
    document = json.loads(shown.stdout)

    assert (shown.returncode, document["problems"], shown.stderr) == (1, 1, "")
    assert {"area", "subject", "level", "message", "hint"} == set(document["findings"][0])


def test_it_works_where_nothing_does(tmp_path: Path) -> None:
    """No home, no desktop, no folders, a store that is none: everything is a line, nothing a traceback."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "runs.sqlite3").write_text("rubbish", encoding="utf-8")
    (tmp_path / "flows").symlink_to("flows")
    shown = atomiton(tmp_path, "doctor", HOME="/nowhere/at/all", SHELL="/gone", PATH="")

    assert shown.returncode == 1
    assert "STORE-005" in shown.stdout
    assert "Traceback" not in shown.stdout + shown.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "flows"]


def test_folders_that_cannot_be_found_are_a_line(tmp_path: Path) -> None:
    """A home that nobody has is a problem of the folders alone."""
    shown = atomiton(tmp_path, "--flows", "~nobody-of-this-name/flows", "doctor")

    assert shown.returncode == 1
    assert "RUN-015" in shown.stdout


def test_on_a_terminal_it_is_coloured(tmp_path: Path) -> None:
    """Levels have their colours where somebody looks."""
    with Terminal(place(tmp_path, broken=BROKEN), "doctor") as terminal:
        assert terminal.wait() == 1
        assert "\x1b[31mproblem" in terminal.screen
        assert "\x1b[32mok" in terminal.screen
