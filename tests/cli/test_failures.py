import click
import pytest

from atomiton_runtime.cli.failures import error_text, problem_text, show_fault
from atomiton_runtime.errors import ErrorInfo, Where
from atomiton_runtime.flow.problems import Problem


def plain(text: str) -> str:
    return click.unstyle(text)


def test_an_error_says_code_place_node_and_hint() -> None:
    """Everything that is known of an error is shown, the place first, as a compiler does."""
    error = ErrorInfo("FILE-001", "there is no file x.csv", "read", Where("a.toml", 3, 8), "write it first")
    assert plain(error_text(error)) == (
        "a.toml:3:8: error[FILE-001]: there is no file x.csv\n  node: read\n  hint: write it first"
    )
    assert plain(error_text(ErrorInfo("RUN-004", "cancelled"))) == "error[RUN-004]: cancelled"


def test_a_problem_shows_its_line_and_a_caret() -> None:
    """The source line is shown with carets below the place."""
    problem = Problem(
        code="FLOW-003",
        message="there is no node `reed`",
        file="a.toml",
        line=12,
        column=9,
        source_line='input = "reed"',
        width=6,
        hint="did you mean `read`?",
    )
    assert plain(problem_text(problem)) == (
        "a.toml:12:9: error[FLOW-003]: there is no node `reed`\n"
        "     |\n"
        '  12 | input = "reed"\n'
        "     |         ^^^^^^\n"
        "  hint: did you mean `read`?"
    )


@pytest.mark.parametrize(
    ("source", "column", "width"),
    [
        ('\tx = "y"', 2, 1),
        ("日本 = 1", 6, 1),
        ("x" * 5000 + "HERE" + "y" * 5000, 5001, 4),
        ("short", 5000, 1),
        ("x", 1, 100_000),
        ("esc \x1b[2J", 5, 1),
    ],
)
def test_carets_stand_below_their_place(source: str, column: int, width: int) -> None:
    """Tabs, wide letters, long lines, places outside the line: the excerpt stays small, true and harmless."""
    problem = Problem(
        code="X-001", message="m", file="f", line=1, column=column, source_line=source, width=width
    )
    lines = plain(problem_text(problem)).split("\n")
    assert all(len(line) < 250 for line in lines)
    assert "\x1b" not in lines[2]
    if "HERE" in source:
        assert lines[2][lines[3].index("^") :].startswith("HERE")
        assert lines[3].count("^") == 4


def test_a_fault_is_one_line_and_a_file(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault of atomiton itself shows no traceback; the traceback is in a private file that the line names."""
    try:
        raise ZeroDivisionError("division\nby zero")
    except ZeroDivisionError as fault:
        show_fault(fault, tmp_path)
        show_fault(fault, tmp_path / "\0")
    kept = tmp_path / "logs" / "faults.log"
    shown = capsys.readouterr().err
    assert "error[CLI-099]: a fault of atomiton itself: ZeroDivisionError: division by zero" in shown
    assert str(kept) in shown
    assert "Traceback" not in shown
    assert "Traceback" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
