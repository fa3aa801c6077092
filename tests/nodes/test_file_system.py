"""Files are written whole or not at all, and what must not go does not go."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from atomiton_runtime.nodes import content, files
from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.paths import refuse_to_remove, resolved
from tests.doubles.attempts import executed, failure, node_type


def act(folder: Path, operation: str, path: str | Path, value: Any = None, **written: Any) -> dict[str, Any]:
    """Return the outputs of one operation."""
    return executed("file-system", folder, value, operation=operation, path=str(path), **written)


def refused(folder: Path, operation: str, path: str | Path, value: Any = None, **written: Any) -> NodeError:
    """Return the error of one operation."""
    return failure("file-system", folder, value, operation=operation, path=str(path), **written)


def names(folder: Path) -> list[str]:
    """Return all names below a folder, so that a temporary file that stayed would be seen."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("value", "encoding", "expected"),
    [
        ("höhe\r\n", "utf-8", "höhe\r\n".encode()),
        ("höhe", "latin-1", b"h\xf6he"),
        ("a", "utf-16-le", b"a\0"),
        ("", "utf-8", b""),
        (b"\0\xff", "binary", b"\0\xff"),
        (b"\0\xff", "utf-8", b"\0\xff"),
        ({"ä": [1]}, "utf-8", '{\n  "ä": [\n    1\n  ]\n}\n'.encode()),
        ([], "utf-8", b"[]\n"),
        (0, "utf-8", b"0\n"),
        (False, "utf-8", b"false\n"),
    ],
    ids=repr,
)
def test_write_and_read_back(tmp_path: Path, value: Any, encoding: str, expected: bytes) -> None:
    """Text is encoded without a change, bytes stay bytes, and anything else becomes JSON."""
    written = act(tmp_path, "write", "a/b", value, encoding=encoding)
    read = act(tmp_path, "read", "a/b", encoding="binary")

    assert (expected, len(expected)) == (read["result"], read["size_bytes"])
    assert {
        "result": str(tmp_path / "a/b"),
        "path": str(tmp_path / "a/b"),
        "size_bytes": len(expected),
    } == written
    assert names(tmp_path) == ["a", "a/b"]


@pytest.mark.parametrize(
    ("operation", "path", "written", "code"),
    [
        ("read", "missing", {}, "FILE-001"),
        ("read", ".", {}, "FILE-003"),
        ("read", "file/below", {}, "FILE-004"),
        ("read", "fifo", {}, "FILE-008"),
        ("read", "/dev/zero", {}, "FILE-008"),
        ("read", "latin", {}, "FILE-009"),
        ("read", "loop", {}, "FILE-007"),
        ("read", "x" * 300, {}, "FILE-007"),
        ("read", "a\0b", {}, "FILE-007"),
        ("write", "new", {}, "FILE-010"),
        ("write", "new", {"content": "€", "encoding": "ascii"}, "FILE-009"),
        ("write", "new", {"content": "x", "encoding": "binary"}, "FILE-009"),
        ("write", "full", {"content": "x"}, "FILE-003"),
        ("write", "fifo", {"content": "x"}, "FILE-008"),
        ("write", "/dev/null", {"content": "x"}, "FILE-008"),
        ("write", "file", {"content": "x", "overwrite": False}, "FILE-002"),
        ("write", "no/such/a", {"content": "x", "create_folders": False}, "FILE-001"),
        ("write", "file/below", {"content": "x"}, "FILE-004"),
        ("append", "fifo", {"content": "x"}, "FILE-008"),
        ("append", "full", {"content": "x"}, "FILE-003"),
        ("list", "file", {}, "FILE-004"),
        ("list", "missing", {}, "FILE-001"),
        ("create", "file", {}, "FILE-004"),
        ("create", "no/such", {"create_folders": False}, "FILE-001"),
        ("delete", "full", {}, "FILE-014"),
        ("delete", "/", {"recursive": True}, "FILE-011"),
        ("delete", "~", {"recursive": True}, "FILE-011"),
        ("delete", ".", {"recursive": True}, "FILE-011"),
        ("delete", "..", {"recursive": True}, "FILE-011"),
        ("delete", "full/../.", {"recursive": True}, "FILE-011"),
        ("delete", "link-here/..", {"recursive": True}, "FILE-011"),
        ("move", ".", {"target": "/tmp/never"}, "FILE-011"),
        ("copy", "missing", {"target": "x"}, "FILE-001"),
        ("copy", "file", {"target": "full"}, "FILE-003"),
        ("copy", "file", {"target": "file"}, "FILE-012"),
        ("copy", "file", {"target": "latin", "overwrite": False}, "FILE-002"),
        ("copy", "full", {"target": "x"}, "FILE-003"),
        ("copy", "full", {"target": "full/x", "recursive": True}, "FILE-012"),
        ("copy", "fifo", {"target": "x"}, "FILE-008"),
        ("move", "full", {"target": "full/x"}, "FILE-012"),
        ("move", "file", {"target": "full"}, "FILE-003"),
        ("move", "full", {"target": "file"}, "FILE-004"),
        ("move", "full", {"target": "full2"}, "FILE-014"),
        ("move", "file", {"target": "latin", "overwrite": False}, "FILE-002"),
        ("move", "file", {"target": "/dev/null"}, "FILE-008"),
    ],
)
def test_a_fault_is_explained_and_changes_nothing(
    tmp_path: Path, operation: str, path: str, written: dict[str, Any], code: str
) -> None:
    """Each refusal has its code and names the path; what was there is as it was, and nothing is added."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "latin").write_bytes(b"\xff")
    for folder in ("full", "full2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a").write_text("a")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link-here").symlink_to(".")
    before = names(tmp_path)

    error = refused(tmp_path, operation, path, **written)

    assert code == error.code, error.message
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_text() == "old"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    """A script that is written again stays executable, and a link to it stays a link."""
    script = tmp_path / "script"
    script.write_text("old")
    script.chmod(0o751)
    (tmp_path / "link").symlink_to("script")
    act(tmp_path, "write", "link", "new")

    assert (0o751, "new", True) == (
        stat.S_IMODE(script.stat().st_mode),
        script.read_text(),
        (tmp_path / "link").is_symlink(),
    )
    assert names(tmp_path) == ["link", "script"]


class FullDisk:
    """A file on a disk that takes only so many bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        """Write what there is room for, or fail as the system does."""
        taken = data[: self._room]
        if not taken:
            raise OSError(28, "No space left on device")
        self._room -= len(taken)
        return self._file.write(taken)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the middle, the old content is there and the temporary file is not."""
    (tmp_path / "log").write_text("old")
    true_open = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r", **more: FullDisk(true_open(self, mode, **more), 3)
    )
    written = refused(tmp_path, "append", "log", "12345")
    monkeypatch.undo()

    assert "FILE-006" == written.code
    assert ((tmp_path / "log").read_text(), names(tmp_path)) == ("old", ["log"])


def test_list_describes_what_is_there(tmp_path: Path) -> None:
    """Each entry has name, path, type, size and time; links are not followed; the order is that of the paths."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b.md").write_text("123")
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "back").symlink_to(tmp_path)
    (tmp_path / os.fsdecode(b"\xff.md")).write_text("x")
    found = act(tmp_path, "list", ".", recursive=True)["result"]
    below = act(tmp_path, "list", ".", recursive=True, pattern="d/*.md")

    assert [(each["name"], each["type"], each["size_bytes"]) for each in found] == [
        ("a.txt", "file", 1),
        ("back", "link", None),
        ("d", "folder", None),
        ("b.md", "file", 3),
        ("\ufffd.md", "file", 1),
    ]
    assert ([each["name"] for each in below["result"]], below["size_bytes"]) == (["b.md"], 3)
    assert found[0]["modified_at"].endswith("Z")


def test_delete_never_follows_links(tmp_path: Path) -> None:
    """A link goes, what it leads to stays, also inside of a folder that is removed whole."""
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    for folder in (kept, gone):
        folder.mkdir()
        (folder / "a").write_text("abc")
    (gone / "link").symlink_to(kept)
    (tmp_path / "link").symlink_to(kept)
    (tmp_path / "dangling").symlink_to("nowhere")
    results = [
        act(tmp_path, "delete", "link", recursive=True)["result"],
        act(tmp_path, "delete", "dangling")["result"],
        act(tmp_path, "delete", "gone", recursive=True)["result"],
        act(tmp_path, "delete", "gone")["result"],
    ]

    assert [True, True, True, False] == results
    assert names(tmp_path) == ["kept", "kept/a"]


def test_copy_and_move_a_tree(tmp_path: Path) -> None:
    """A folder is copied into one that is there, files are replaced, links stay links; a move takes all."""
    source, target = tmp_path / "s", tmp_path / "t"
    (source / "sub").mkdir(parents=True)
    (source / "sub/a").write_text("new")
    (source / "link").symlink_to("sub/a")
    (target / "sub").mkdir(parents=True)
    (target / "sub/a").write_text("old")
    (target / "only").write_text("x")
    copied = act(tmp_path, "copy", "s", target="t", recursive=True)
    moved = act(tmp_path, "move", "t", target="in/")

    assert (str(target), str(tmp_path / "in/t")) == (copied["path"], moved["path"])
    assert names(tmp_path / "in/t") == ["link", "only", "sub", "sub/a"]
    assert (tmp_path / "in/t/sub/a").read_text() == "new"
    assert (tmp_path / "in/t/link").is_symlink()
    assert not target.exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_move_between_devices(tmp_path: Path, kind: str) -> None:
    """A rename that the system refuses becomes a copy, whole, and then a removal."""
    other = Path("/dev/shm") / f"atomiton-test-{os.getpid()}-{kind}"
    source = tmp_path / kind
    if kind == "folder":
        (source / "sub").mkdir(parents=True)
        (source / "sub/a").write_text("a")
    elif kind == "link":
        source.symlink_to("nowhere")
    else:
        source.write_text("a")
        source.chmod(0o640)
    if tmp_path.stat().st_dev == Path("/dev/shm").stat().st_dev:
        pytest.skip("both are on one file system")
    try:
        act(tmp_path, "move", kind, target=str(other))

        assert names(tmp_path) == []
        assert other.is_symlink() == (kind == "link")
        if kind == "folder":
            assert (other / "sub/a").read_text() == "a"
        if kind == "file":
            assert (other.read_text(), stat.S_IMODE(other.stat().st_mode)) == ("a", 0o640)
    finally:
        if os.path.lexists(other):
            files.remove(other, recursive=True, pulse=lambda: None)
    assert list(Path("/dev/shm").glob("*atomiton-test*")) == []


def test_a_cancelled_copy_leaves_no_temporary_file(tmp_path: Path) -> None:
    """A copy that is told to stop in the middle stops, and takes its half-written file with it."""
    (tmp_path / "big").write_bytes(bytes(4 * 1024 * 1024))
    token = CancelToken()
    pulses = iter(range(2))

    def pulse() -> None:
        if next(pulses, None) is None:
            token.cancel()
        token.raise_if_cancelled()

    with pytest.raises(NodeCancelledError):
        files.copy(tmp_path / "big", tmp_path / "copy", overwrite=True, pulse=pulse)

    assert names(tmp_path) == ["big"]


def test_sockets_are_listed_and_removed_but_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither file nor folder is called `other`."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        listed = act(tmp_path, "list", ".")["result"][0]["type"]
        code = refused(tmp_path, "read", "s").code
    removed = act(tmp_path, "delete", "s")["result"]

    assert ("other", "FILE-008", True) == (listed, code, removed)


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit fails before it fills the memory."""
    monkeypatch.setattr("atomiton_runtime.nodes.file_system.MAX_READ_BYTES", 10)
    (tmp_path / "a").write_text("x" * 11)

    assert refused(tmp_path, "read", "a").code == "FILE-013"


@pytest.mark.parametrize("parents", [0, 1, 2])
def test_parents_of_kept_folders_are_kept(tmp_path: Path, parents: int) -> None:
    """Neither the flow's folder nor any folder above it is removed; what is beside or below it may be."""
    flows = tmp_path / "a/b/flows"
    flows.mkdir(parents=True)
    with pytest.raises(NodeError) as caught:
        refuse_to_remove([flows, *flows.parents][parents], flows)

    assert caught.value.code == "FILE-011"
    refuse_to_remove(flows / "x", flows)
    refuse_to_remove(flows.parent / "x", flows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "/flows/a"),
        ("../a", "/a"),
        ("/x//y/../z", "/x/z"),
        (".", "/flows"),
        ("~nobody-here/a", "/flows/~nobody-here/a"),
    ],
)
def test_paths_are_relative_to_the_flow(text: str, expected: str) -> None:
    """A relative path starts at the flow's folder; `..` and doubled slashes are taken out."""
    assert resolved(text, Path("/flows"), "path") == Path(expected)


def test_effects_and_repetition() -> None:
    """Looking is `reads`; what gives the same a second time may be repeated after a crash."""
    declared = node_type("file-system")
    told = {}
    for operation in ("read", "write", "append", "delete", "move", "copy"):
        parameters = declared.prepare(
            {
                "operation": operation,
                "path": "a",
                **({"target": "b"} if operation in ("move", "copy") else {}),
            }
        )
        told[operation] = (declared.node_type.effect(parameters), declared.node_type.may_repeat(parameters))

    assert told == {
        "read": ("reads", True),
        "write": ("writes", True),
        "append": ("writes", False),
        "delete": ("writes", False),
        "move": ("writes", False),
        "copy": ("writes", True),
    }


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("utf-8", True),
        ("CP1252", True),
        ("rot13", False),
        ("hex", False),
        ("idna", False),
        ("x", False),
        ("a\0", False),
    ],
)
def test_encodings(name: str, known: bool) -> None:
    """Only what turns text into bytes is an encoding of texts."""
    assert content.is_text_encoding(name) == known


def test_what_a_killed_process_had_begun_to_write_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next write into the folder; what is still being written, is young, or is somebody else's stays."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom atomiton_runtime.nodes import files\n"
        "with files.replacing(Path(sys.argv[1]), overwrite=True) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False, timeout=20)
    (left,) = tmp_path.iterdir()
    (tmp_path / ".mine.tmp").touch()
    files.write_whole(tmp_path / "other", b"1", overwrite=True)
    assert left.exists()  # it is young
    monkeypatch.setattr(files, "_DEAD_AFTER_S", -1.0)
    files._swept.clear()
    with files.replacing(tmp_path / "long", overwrite=True) as file:
        assert not left.exists()
        files._swept.clear()
        files.write_whole(tmp_path / "other", b"2", overwrite=True)
        file.write(b"whole")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        ".mine.tmp": b"", "long": b"whole", "other": b"2",
    }  # fmt: skip


def test_what_a_killed_move_had_begun_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on its way between devices, and a link that had no name yet; never a folder that is on its way now."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom atomiton_runtime.nodes import files\n"
        "def pulse():\n    if list(target.parent.glob('.*.tmp/a')): os.kill(os.getpid(), signal.SIGKILL)\n"
        "target = Path(sys.argv[2])\n"
        "files._move_between_devices(Path(sys.argv[1]), target, overwrite=False, pulse=pulse)\n"
    )
    source, place = tmp_path / "source", tmp_path / "place"
    source.mkdir()
    place.mkdir()
    for name in "abc":
        (source / name).write_text(name)
    command = [sys.executable, "-c", code, str(source), str(place / "moved")]
    killed = subprocess.run(command, check=False, timeout=20)
    (left,) = place.iterdir()
    (place / ".link.0123456789ab.tmp").symlink_to(source)
    os.mkfifo(place / ".pipe.0123456789ab.tmp")
    monkeypatch.setattr(files, "_DEAD_AFTER_S", -1.0)
    looks: list[list[str]] = []

    def look() -> None:
        files._swept.clear()
        files.write_whole(place / "other", b"1", overwrite=True)
        looks.append(sorted(each.name for each in place.iterdir()))

    files._move_between_devices(source, place / "moved", overwrite=False, pulse=look)

    assert (-9, True) == (killed.returncode, left.name.startswith(".moved."))
    for names in looks:
        assert left.name not in names
        assert ".link.0123456789ab.tmp" not in names
    assert any(name.startswith(".moved.") for name in looks[-1])
    assert {".pipe.0123456789ab.tmp", "moved", "other"} == {each.name for each in place.iterdir()}
    assert ["a", "b", "c"] == sorted(each.name for each in (place / "moved").iterdir())
    assert not source.exists()
