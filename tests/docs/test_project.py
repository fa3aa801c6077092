"""The project's own files are in order: no paths of a machine, a changelog for users, scripts that parse."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELL = ["scripts/run", "scripts/test", "scripts/prepare.sh", "scripts/prove-bare-debian", ".ci/run"]
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
MACHINE_PATH = re.compile(r"(?<![\w.{}~-])/(?:root|work|home/(?!me\b|you\b|dev\b)\w+|Users/\w+|tmp/setup)/")


def tracked_files() -> list[Path]:
    """Return the files that are part of the project."""
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    return [ROOT / name for name in names.stdout.splitlines()]


def test_no_file_names_a_place_on_a_machine() -> None:
    """Nothing in the project depends on, or tells of, the folders of one machine."""
    found = {}
    for path in tracked_files():
        if path == Path(__file__) or not path.is_file():
            continue
        match = MACHINE_PATH.search(path.read_bytes().decode("utf-8", "replace"))
        if match:
            found[path.relative_to(ROOT).as_posix()] = match[0]

    assert found == {}


def test_the_changelog_is_for_users() -> None:
    """Each version has a date or is unreleased, and only the six known kinds of entries."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    kinds = re.findall(r"^### (.+)$", text, re.MULTILINE)

    assert versions[0] == "[Unreleased]" or versions[0].startswith("[")
    assert [
        each
        for each in versions
        if not re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", each)
    ] == []
    assert set(kinds) <= SECTIONS


def test_the_version_is_in_the_changelog() -> None:
    """The version of the project has an entry, unless it is still to be released."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"[{version}]" in text or "[Unreleased]" in text


@pytest.mark.parametrize("script", SHELL)
def test_shell_scripts_parse(script: str) -> None:
    """A shell reads the whole script without complaint."""
    shell = "bash" if "bash" in (ROOT / script).read_text(encoding="utf-8").splitlines()[0] else "sh"
    outcome = subprocess.run(
        [shell, "-n", ROOT / script], capture_output=True, text=True, check=False, timeout=20
    )

    assert outcome.stderr == ""
