import re
from pathlib import Path

from atomiton_runtime.cli.app import COMMANDS
from atomiton_runtime.cli.codes import CODES
from tests.doubles.transcript import commands_and_outputs, printed, steady

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    """Every command of the page, executed in order in a fresh folder, prints what the page says."""
    shown = list(commands_and_outputs(PAGE))
    assert shown
    for line, output in shown:
        assert steady(output) == steady(printed(line, tmp_path)), line


def test_the_page_has_every_command() -> None:
    """Every command has a section and the help that it prints."""
    sections = re.findall(r"^## `(\w+)`", PAGE, re.MULTILINE)
    helps = {line.split()[1] for line, _ in commands_and_outputs(PAGE) if line.endswith("--help")}
    assert sections == list(COMMANDS)
    assert set(COMMANDS) <= helps


def test_codes_that_are_used_are_listed() -> None:
    """Every CLI code in the program has a row in the table, and every row is used."""
    package = ROOT / "atomiton_runtime"
    sources = [*(package / "cli").glob("*.py"), *(package / "control").glob("*.py"), package / "ownership.py"]
    used = {
        code
        for path in sources
        if path.name != "codes.py"
        for code in re.findall(r"CLI-\d{3}", path.read_text(encoding="utf-8"))
    }
    assert used == set(CODES)
