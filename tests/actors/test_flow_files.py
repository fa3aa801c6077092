"""How a flow file is looked at: never waiting, never half of one and half of another."""

import os
import threading
from pathlib import Path

import pytest

from atomiton_runtime.actors.flow_files import (
    Changing,
    Content,
    Missing,
    Unreadable,
    folder_identity,
    is_flow_file,
    list_flow_files,
    look_at,
)


@pytest.mark.parametrize(
    ("name", "is_flow"),
    [
        ("a.toml", True),
        ("a.b.toml", True),
        ("ünï.toml", True),
        ("a (conflicted copy).toml", True),
        ("a.sync-conflict-20261123-101010-ABCDEFG.toml", True),
        (".toml", False),
        (".a.toml", False),
        (".#a.toml", False),
        ("#a.toml#", False),
        ("a.toml~", False),
        ("4913", False),
        (".a.toml.swp", False),
        ("a.toml___jb_tmp___", False),
        (".syncthing.a.toml.tmp", False),
        ("a.TOML", False),
        (os.fsdecode(b"\xff.toml"), False),
    ],
)
def test_which_files_are_flows(name: str, is_flow: bool) -> None:
    """A flow file ends in `.toml` and is not hidden; so no editor's temporary file is one."""
    assert is_flow_file(name) is is_flow


def test_a_file_replaced_while_it_is_read_is_never_mixed(tmp_path: Path) -> None:
    """Of two contents that replace each other without a pause, a look finds one, or that the file is in motion."""
    path = tmp_path / "a.toml"
    contents = [bytes([letter]) * 500_000 for letter in b"ab"]
    path.write_bytes(contents[0])
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            for content in contents:
                (tmp_path / "new").write_bytes(content)
                (tmp_path / "new").replace(path)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        looks = [look_at(str(path)) for _ in range(100)]
    finally:
        done.set()
        writer.join()

    assert all(
        isinstance(look, Changing) or (isinstance(look, Content) and look.data in contents) for look in looks
    )


@pytest.mark.parametrize("path", ["/nowhere/a.toml", "/etc/passwd/a.toml", "a\0b"])
def test_nothing_there_is_missing(path: str) -> None:
    """A path that leads nowhere, or that no file can have, is that of no file."""
    assert look_at(path) == Missing()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Looking at a named pipe that nobody writes into ends at once."""
    os.mkfifo(tmp_path / "a.toml")
    look = look_at(str(tmp_path / "a.toml"))
    assert isinstance(look, Unreadable)
    assert look.error.message == "a.toml is a named pipe, not a flow file"


def test_names_that_are_no_unicode_can_be_shown(tmp_path: Path) -> None:
    """A file name that no flow can have is listed in a form that any screen and journal takes."""
    (tmp_path / os.fsdecode(b"\xff.toml")).touch()
    assert list_flow_files(tmp_path).names == ()
    assert list_flow_files(tmp_path).undecodable == ("\\udcff.toml",)


def test_a_folder_is_told_from_its_successor(tmp_path: Path) -> None:
    """The identity of a folder is that of what is there, also behind a link, and None where there is no folder."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to("one")
    (tmp_path / "file").touch()
    assert folder_identity(tmp_path / "one") is not None
    assert folder_identity(tmp_path / "link") == folder_identity(tmp_path / "one")
    assert folder_identity(tmp_path / "one") != folder_identity(tmp_path / "two")
    assert folder_identity(tmp_path / "file") is None
    assert folder_identity(tmp_path / "none") is None
