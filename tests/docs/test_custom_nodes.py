"""The tutorial on node types is true: its files are written, its commands executed, its package found."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.doubles.terminal import DEADLINE_S, command, environment
from tests.doubles.transcript import commands_and_outputs, printed, steady

PAGE = (Path(__file__).parents[2] / "docs" / "custom-nodes.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"# (\S+\.(?:py|toml|txt))\n")


def shown_files() -> dict[str, str]:
    """Return name -> content of each file of the page; in a text the first line is only its name."""
    found: dict[str, str] = {}
    for language, content in BLOCK.findall(PAGE):
        if name := NAME.match(content):
            found[name[1]] = content[name.end() :] if language == "text" else content
    return found


FILES = shown_files()


def write(folder: Path, *names: str) -> None:
    """Write these files of the page."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name], encoding="utf-8")


def test_the_page_has_files_and_commands() -> None:
    """The pattern finds what it is about."""
    assert len(FILES) == 10
    assert len(list(commands_and_outputs(PAGE))) == 7


def test_the_page_is_true_from_its_first_line_to_its_last(tmp_path: Path) -> None:
    """Whoever writes each file and calls each command in the order of the page sees what the page shows."""
    for language, content in BLOCK.findall(PAGE):
        if name := NAME.match(content):
            write(tmp_path, name[1])
        if language == "console":
            for line, output in commands_and_outputs(f"```console\n{content}```"):
                assert steady(printed(line, tmp_path)) == steady(output), line


def test_every_class_of_the_page_does_what_it_shows(tmp_path: Path) -> None:
    """The examples of the page's classes are right."""
    types = {"word_count": "word-count", "line_count": "line-count", "pause": "pause"}
    write(tmp_path, *(f"flows/nodes/{module}.py" for module in types))
    for name in types.values():
        assert "wrong" not in printed(f"atomiton --flows flows nodes {name} --try", tmp_path)


def test_the_class_is_described(tmp_path: Path) -> None:
    """`atomiton nodes TYPE` shows its parameters, outputs and examples."""
    write(tmp_path, "flows/nodes/word_count.py")
    shown = printed("atomiton --flows flows nodes word-count", tmp_path)

    assert "Counts the words of a text." in shown
    assert "integer, 1 or more" in shown
    assert "Something that is no text: `WORDS-001`" in shown


def test_the_class_says_what_is_examined(tmp_path: Path) -> None:
    """What the page quotes of `atomiton nodes line-count` is there."""
    write(tmp_path, "flows/nodes/line_count.py")
    sentence = "Examined on a save: what it reads."

    assert sentence in PAGE
    assert sentence in printed("atomiton --flows flows nodes line-count", tmp_path)


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


def test_the_package_of_the_page_can_be_installed(tmp_path: Path) -> None:
    """Built and installed by pip as it is on the page, the type of the package is used like any other."""
    write(tmp_path, "words/pyproject.toml", "flows/count.toml", "flows/poem.txt")
    package = tmp_path / "words" / "atomiton_words"
    package.mkdir()
    (package / "__init__.py").write_text(FILES["flows/nodes/word_count.py"], encoding="utf-8")
    library = tmp_path / "library"
    # What builds it is here already: nothing is downloaded.
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", library, tmp_path / "words"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert installed.returncode == 0, installed.stderr
    assert printed_with(library, "--flows flows run count", tmp_path).startswith('[{"word":"the"')
    assert "(entry point word-count = atomiton_words:WordCount)" in printed_with(library, "nodes", tmp_path)
    assert "wrong" not in printed_with(library, "nodes word-count --try", tmp_path)


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
