"""The tutorial on node types is true: its files are written, its commands executed, its package found."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.doubles.terminal import DEADLINE_S, command, environment
from tests.doubles.transcript import commands_and_outputs, printed, steady

PAGE = (Path(__file__).parents[2] / "docs" / "custom-nodes.md").read_text(encoding="utf-8")
FILE = re.compile(r"^```\w+\n# (\S+\.(?:py|toml|txt))\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILES = dict(FILE.findall(PAGE))


def write(folder: Path, *names: str) -> None:
    """Write these files of the page; a first line in TOML keeps the lines that the page names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = "# its first line\n" if name.endswith("wrong.toml") else ""
        path.write_text(head + FILES[name], encoding="utf-8")


def test_the_page_has_files_and_commands() -> None:
    """The pattern finds what it is about."""
    assert len(FILES) == 6
    assert len(list(commands_and_outputs(PAGE))) == 3


def test_the_commands_print_what_the_page_says(tmp_path: Path) -> None:
    """In order, with the files that the page has shown until then."""
    write(tmp_path, "flows/nodes/word_count.py", "flows/count.toml", "flows/poem.txt")
    for line, output in commands_and_outputs(PAGE):
        if line.endswith("wrong"):
            write(tmp_path, "flows/wrong.toml")
        assert steady(printed(line, tmp_path)) == steady(output), line


def test_the_class_is_described(tmp_path: Path) -> None:
    """`atomiton nodes TYPE` shows its parameters, outputs and examples."""
    write(tmp_path, "flows/nodes/word_count.py")
    shown = printed("atomiton --flows flows nodes word-count", tmp_path)

    assert "Counts the words of a text." in shown
    assert "integer, 1 or more" in shown
    assert "Something that is no text: `WORDS-001`" in shown


@pytest.mark.parametrize("asked", ["check", "doctor", "nodes"])
def test_a_broken_class_is_a_problem_and_no_crash(tmp_path: Path, asked: str) -> None:
    """Its file and line are named, and flows that do not need it still run."""
    write(
        tmp_path, "flows/nodes/word_count.py", "flows/count.toml", "flows/poem.txt", "flows/nodes/broken.py"
    )
    shown = printed(f"atomiton --flows flows {asked}", tmp_path)

    assert "broken.py:" in shown
    assert "Traceback" not in shown
    assert printed("atomiton --flows flows run count", tmp_path).startswith('[{"word":"the"')


def test_an_installed_package_is_found(tmp_path: Path) -> None:
    """By its entry point, in any folder of flows."""
    project = tomllib.loads(FILES["words/pyproject.toml"])["project"]
    library = tmp_path / "library"
    package = library / "atomiton_words"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FILES["flows/nodes/word_count.py"], encoding="utf-8")
    # What pip writes for a package, by hand: a build would need the network.
    info = library / f"atomiton_words-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
    points = project["entry-points"]["atomiton.nodes"]
    lines = "".join(f"{name} = {target}\n" for name, target in points.items())
    (info / "entry_points.txt").write_text(f"[atomiton.nodes]\n{lines}")
    write(tmp_path, "flows/count.toml", "flows/poem.txt")

    assert printed_with(library, "--flows flows run count", tmp_path).startswith('[{"word":"the"')
    assert "entry point" in printed_with(library, "--flows flows nodes word-count --json", tmp_path)
    shutil.rmtree(info)
    assert "error[FLOW-008]" in printed_with(library, "--flows flows check", tmp_path)


def printed_with(library: Path, arguments: str, folder: Path) -> str:
    """Return what atomiton prints when this folder of packages is installed."""
    done = subprocess.run(
        command(*arguments.split()),
        cwd=folder,
        env=environment(folder, PYTHONPATH=str(library)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    return done.stdout
