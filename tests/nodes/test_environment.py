"""What nodes see of the environment: no secrets, `.env` beside the flow, and the runtime itself none of it."""

import os
from pathlib import Path

import pytest

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.environment import NodeEnvironment, inherited, without_secrets


def write(folder: Path, text: str | bytes, mode: int = 0o644) -> None:
    """Write `.env` into a folder that is trusted."""
    path = folder / ".env"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)


def test_the_file_is_read_for_nodes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments, quotes and `export`; the environment of the runtime wins, and is not changed."""
    monkeypatch.setenv("KNOWN", "outside")
    monkeypatch.setenv("ATOMITON_SECRET_A", "canary")
    text = "# c\nexport A=1\nB='x y'\nKNOWN=inside\nLD_PRELOAD=evil.so\nC\nD=$A\nATOMITON_SECRET_B=canary\n"
    write(tmp_path, text)
    seen = inherited(tmp_path)
    assert {name: seen[name] for name in ("A", "B", "C", "D", "KNOWN", "LD_PRELOAD")} == {
        "A": "1", "B": "x y", "C": "", "D": "$A", "KNOWN": "outside", "LD_PRELOAD": "evil.so",
    }  # fmt: skip
    assert "canary" not in str(seen)
    assert "LD_PRELOAD" not in os.environ
    environment = NodeEnvironment(tmp_path)
    assert len(environment) == len(seen)
    assert "ATOMITON_SECRET_A" not in environment
    write(tmp_path, "A=22\n")
    assert environment["A"] == "22"
    (tmp_path / ".env").unlink()
    assert "A" not in inherited(tmp_path)


@pytest.mark.parametrize(
    ("text", "mode", "code", "word"),
    [
        ("A=1\n'B\n", 0o644, "ENV-001", "line 2"),
        (b"A=\xff\n", 0o644, "ENV-001", "UTF-8"),
        ("A=1\n", 0o666, "TRUST-001", "everybody"),
    ],
)
def test_a_file_that_is_not_used(tmp_path: Path, text: str | bytes, mode: int, code: str, word: str) -> None:
    """A wrong line, a wrong encoding, a file that others can write: the node says so."""
    write(tmp_path, text, mode)
    with pytest.raises(NodeError, match=word) as caught:
        inherited(tmp_path)
    assert caught.value.code == code


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Reading it fails with the system's word."""
    (tmp_path / ".env").mkdir()
    with pytest.raises(NodeError, match="directory"):
        inherited(tmp_path)


def test_rights_that_change_are_seen(tmp_path: Path) -> None:
    """A file that was trusted is looked at anew when others get the right to write it."""
    write(tmp_path, "A=1\n")
    assert inherited(tmp_path)["A"] == "1"
    (tmp_path / ".env").chmod(0o666)
    with pytest.raises(NodeError, match="everybody"):
        inherited(tmp_path)


def test_what_the_runtime_starts_for_itself_takes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.env` where the runtime was started is somebody else's."""
    monkeypatch.setenv("ATOMITON_SECRET_A", "canary")
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "A=1\n'broken\n")
    assert {"A", "ATOMITON_SECRET_A"}.isdisjoint(without_secrets())
