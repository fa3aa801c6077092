"""The documentation says what is true: links lead somewhere, generated parts are current, flows in it are valid."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from atomiton_runtime.nodes.registry import built_in_types

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "flows").glob("*.md"))
)
TUTORIAL = "docs/custom-nodes.md"
CALLED = {
    name: text
    for each in built_in_types()
    for example in each.node_type.examples
    for name, text in example.files.items()
    if name.endswith(".toml") and example.error is None
}
"""The flows that other flows of the documentation call."""
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")
CODE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a document that are in this language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [code for found, code in CODE.findall(text) if found == language]


def anchors(path: Path) -> set[str]:
    """Return the names that the headings of a document can be reached by."""
    text = CODE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Every link to a file of the project, and every link to a heading, has its target."""
    text = CODE.sub("", (ROOT / document).read_text(encoding="utf-8"))
    dead = []
    for link in (first or second for first, second in LINK.findall(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / document).parent / name if name else ROOT / document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)

    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_toml_is_toml(document: str) -> None:
    """Every block that is marked as TOML can be read."""
    for code in blocks(document, "toml"):
        tomllib.loads(code)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_flows_are_valid(document: str, tmp_path: Path) -> None:
    """Every block that is a whole flow loads without a problem; the tutorial's are executed by a test of their own."""
    if document == TUTORIAL:
        return
    for called in CALLED:
        (tmp_path / called).write_text(CALLED[called], encoding="utf-8")
    flows = [code for code in blocks(document, "toml") if "[nodes." in code]
    for number, code in enumerate(flows):
        (tmp_path / f"block-{number}.toml").write_text(code, encoding="utf-8")
    outcome = atomiton("check", tmp_path, data=tmp_path / "data") if flows else None

    assert outcome is None or outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_flow_of_the_readme_runs(tmp_path: Path) -> None:
    """The flow of the README does what the text beside it says."""
    (tmp_path / "greeting.toml").write_text(blocks("README.md", "toml")[0], encoding="utf-8")

    outcome = atomiton("run", tmp_path / "greeting.toml", "--who", "you", "--json", data=tmp_path / "data")

    assert json.loads(outcome.stdout)["status"] == "succeeded"
    assert json.loads((tmp_path / "out" / "greeting.json").read_text(encoding="utf-8")) == {
        "text": "HELLO, YOU!"
    }


def atomiton(*arguments: str | Path, data: Path) -> subprocess.CompletedProcess[str]:
    """Return how a call of atomiton ends."""
    return subprocess.run(
        [sys.executable, "-m", "atomiton_runtime", "--data", data, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_generated_parts_are_current() -> None:
    """What scripts/generate-docs would write is what is there."""
    outcome = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate-docs", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert outcome.stderr == ""
    assert outcome.returncode == 0


def test_every_decision_is_listed() -> None:
    """The list of decisions names each page, and each page has the parts that make it one."""
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    listed = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in pages] == re.findall(r"\(([0-9][^)]+\.md)\)", listed)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Context", "Options", "Decision", "Consequences", "What would change our mind"], (
            page.name
        )


def test_the_readme_names_what_exists() -> None:
    """Every script and every command of atomiton that a block of the README calls is there."""
    from atomiton_runtime.cli.app import COMMANDS

    calls = [line for code in blocks("README.md", "sh") for line in code.splitlines()]
    scripts = {match[1] for line in calls if (match := re.match(r"(scripts/[\w-]+)", line))}
    commands = {match[1] for line in calls if (match := re.match(r"(?:scripts/run|atomiton) ([a-z]+)", line))}

    assert {"scripts/run", "scripts/test"} <= scripts
    assert [name for name in scripts if not (ROOT / name).stat().st_mode & 0o100] == []
    assert commands - set(COMMANDS) == set()
