"""What others can write is not executed, and no node gets at the runtime's own data."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from atomiton_runtime import Runtime, trust
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.paths import keep_out, refuse_to_remove, resolved
from tests.doubles.terminal import atomiton

HELLO = '[nodes.a]\ntype = "edit-fields"\nvalues = { n = 1 }\n'
TYPE = """\
from atomiton_runtime.nodes.base import NodeType
raise SystemExit("this file must not be executed")
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder with one flow, as only its owner can write it."""
    folder = tmp_path / "flows"
    folder.mkdir(mode=0o755)
    (folder / "hello.toml").write_text(HELLO)
    (folder / "hello.toml").chmod(0o644)
    return folder


@pytest.mark.parametrize(
    ("place", "mode", "trusted"),
    [
        ("flows/hello.toml", 0o644, True),
        ("flows/hello.toml", 0o664, True),  # the group is the user's own
        ("flows/hello.toml", 0o666, False),
        ("flows", 0o775, True),
        ("flows", 0o777, False),
        ("flows", 0o1777, False),  # a new file of somebody else's would be one of ours
        (".", 0o777, False),
        (".", 0o1777, True),
    ],
)
def test_who_can_write_counts(flows: Path, place: str, mode: int, trusted: bool) -> None:
    """The file, its folder and the folders above; the refusal names the place and the command that mends it."""
    (flows.parent / place).chmod(mode)
    refusal = trust.distrust(flows / "hello.toml")

    assert (refusal is None) == trusted
    if refusal is not None:
        assert f"mode {mode:04o}" in refusal.message
        assert f"chmod o-w {(flows.parent / place).resolve()}" in (refusal.hint or "")


def test_a_judge_looks_at_a_folder_once_and_at_each_file(flows: Path) -> None:
    """For the moment that it was made for, the folder is what it was at the first file; the next judge looks anew."""
    (flows / "other.toml").write_text(HELLO)
    (flows / "other.toml").chmod(0o666)
    judge = trust.Judge()
    assert judge.distrust(str(flows / "hello.toml")) is None
    flows.chmod(0o777)

    assert judge.distrust(str(flows / "hello.toml")) is None
    assert judge.distrust(str(flows / "other.toml")) is not None
    assert trust.Judge().distrust(str(flows / "hello.toml")) is not None


def test_a_file_of_the_working_folder(flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a folder means the working folder, whose rights count like those of any other."""
    monkeypatch.chdir(flows)
    assert trust.distrust(Path("hello.toml")) is None
    flows.chmod(0o777)
    assert trust.distrust(Path("hello.toml")) is not None


def test_a_group_of_others_counts(flows: Path) -> None:
    """It is not the user's own: its members can write."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another group")
    os.chown(flows / "hello.toml", -1, 12345)
    assert trust.distrust(flows / "hello.toml") is None
    (flows / "hello.toml").chmod(0o664)
    refusal = trust.distrust(flows / "hello.toml")

    assert refusal is not None
    assert "the group 12345" in refusal.message


def test_the_owner_counts_except_for_root() -> None:
    """An owner can write his file whatever its mode is; root executes what any user owns."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        file = Path(name) / "hello.toml"
        file.write_text(HELLO)
        os.chown(file, 12345, -1)
        assert trust.distrust(file) is None
        shown = asked_as_somebody_else(file)

    assert "its owner, the user 12345, can write it" in shown


def asked_as_somebody_else(file: Path) -> str:
    """Return what a process of another user is told about a file."""
    asked = (
        "import os, sys, pathlib; from atomiton_runtime.trust import distrust; os.setegid(54321); os.seteuid(54321);"
        "print(distrust(pathlib.Path(sys.argv[1])).message)"
    )
    command = [sys.executable, "-c", asked, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def test_a_flow_that_others_can_write_is_a_broken_one(flows: Path, tmp_path: Path) -> None:
    """It is not executed before its rights are mended, by whom ever it is asked for; others are."""
    (flows / "open.toml").write_text(HELLO)
    (flows / "open.toml").chmod(0o666)
    with Runtime(flows=flows, data=tmp_path / "data") as runtime:
        assert {entry.id: entry.runnable for entry in runtime.flows()} == {"hello": True, "open": False}
        for ref in ("open", str(flows / "open.toml")):
            with pytest.raises(FlowInvalid) as refused:
                runtime.run(ref)
            assert [problem.code for problem in refused.value.problems] == ["TRUST-001"]
        assert runtime.run("hello").result(timeout_s=30).status == "succeeded"
        (flows / "open.toml").chmod(0o644)
        assert runtime.run("open").result(timeout_s=30).status == "succeeded"
        (flows / "open.toml").chmod(0o666)
        assert [entry.problems[0].code for entry in runtime.flows() if entry.problems] == ["TRUST-001"]


def test_a_folder_that_others_can_write(flows: Path, tmp_path: Path) -> None:
    """Every command that would execute something says what is wrong and how it is mended; a word makes it trusted."""
    flows.chmod(0o777)
    refused = atomiton(tmp_path, "run", "hello")
    doctor = atomiton(tmp_path, "doctor")
    trusted = atomiton(tmp_path, "run", "hello", **{trust.TRUST_VARIABLE: "1"})

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "error[TRUST-001]" in refused.stderr
    assert f"chmod o-w {flows}" in refused.stderr
    assert "no flow of it is executed" in doctor.stdout
    assert trusted.returncode == 0, trusted.stderr


def test_a_node_type_that_others_can_write_is_not_even_read(flows: Path, tmp_path: Path) -> None:
    """Reading it would execute it."""
    (flows / "nodes").mkdir()
    (flows / "nodes" / "evil.py").write_text(TYPE)
    (flows / "nodes" / "evil.py").chmod(0o666)
    shown = atomiton(tmp_path, "nodes")

    assert "TRUST-001" in shown.stdout + shown.stderr
    assert "must not be executed" not in shown.stdout + shown.stderr


# --- the runtime's own data ---------------------------------------------------------------------------------

NODES = {
    "read": 'type = "file-system"\noperation = "read"\npath = "{path}/runs.sqlite3"\nencoding = "binary"\n',
    "write": 'type = "file-system"\noperation = "write"\npath = "{path}/evil"\ncontent = "x"\n',
    "delete": 'type = "file-system"\noperation = "delete"\npath = "{path}"\nrecursive = true\n',
    "copy": 'type = "file-system"\noperation = "copy"\npath = "hello.toml"\ntarget = "{path}/evil"\n',
    "list": 'type = "file-system"\noperation = "list"\npath = "{path}/processes"\n',
    "sheet": 'type = "spreadsheet"\noperation = "read"\npath = "{path}/evil.csv"\n',
    "shell": 'type = "shell-command"\nprogram = "ls"\ncwd = "{path}"\n',
    "image": 'type = "image"\noperation = "info"\npath = "{path}/a.png"\n',
}


@pytest.mark.parametrize("kind", NODES)
@pytest.mark.parametrize("way", ["straight", "dots", "link"])
def test_no_node_gets_at_the_runtimes_own_data(flows: Path, tmp_path: Path, kind: str, way: str) -> None:
    """Neither by its name, nor by way of `..`, nor through a link."""
    data = tmp_path / "data"
    (flows / "link").symlink_to(data)
    path = {"straight": str(data), "dots": "../flows/.././data", "link": "link"}[way]
    (flows / "it.toml").write_text(f"[nodes.a]\n{NODES[kind].format(path=path)}")
    with Runtime(flows=flows, data=data) as runtime:
        document = runtime.run("it").result(timeout_s=30)
        assert document.error is not None
        assert document.error.code == "FILE-015"
        assert not (data / "evil").exists()
        assert runtime.history()


def test_flows_within_the_data_folder_are_no_data(tmp_path: Path) -> None:
    """Who keeps both in one folder can use files beside the flows, and nothing else there."""
    data, flows = tmp_path, tmp_path / "flows"
    flows.mkdir()
    end = keep_out(data, flows)
    try:
        assert resolved("a.txt", flows, "path") == flows / "a.txt"
        for path in ("../runs.sqlite3", str(data)):
            with pytest.raises(NodeError, match="own data"):
                resolved(path, flows, "path")
        with pytest.raises(NodeError, match="a parent of"):
            refuse_to_remove(tmp_path.parent, flows)
    finally:
        end()
    assert resolved("../runs.sqlite3", flows, "path") == data / "runs.sqlite3"


@pytest.mark.parametrize(
    "path", ["/", "~", ".", "..", "../flows", "{link}/flows", "../flows/../flows/", "/home/../"]
)
@pytest.mark.parametrize("operation", ["delete", "move"])
def test_what_must_not_go(flows: Path, tmp_path: Path, path: str, operation: str) -> None:
    """The root, the home, the flows folder and their parents are neither deleted nor moved away, however written."""
    (tmp_path / "way").symlink_to(tmp_path)
    written = path.format(link="../way")
    more = "recursive = true" if operation == "delete" else 'target = "../elsewhere"'
    (flows / "it.toml").write_text(
        f'[nodes.a]\ntype = "file-system"\noperation = "{operation}"\npath = "{written}"\n{more}\n'
    )
    with Runtime(flows=flows, data=tmp_path / "data") as runtime:
        document = runtime.run("it").result(timeout_s=30)

    assert document.error is not None
    assert document.error.code in ("FILE-011", "FILE-012")
    assert (flows / "hello.toml").exists()
