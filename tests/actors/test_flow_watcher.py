"""What reaches the shelf when editors and tools do to flow files what they really do.

Each case repeats the system calls of a program, with real files and real events. A last file, written afterwards, tells
that everything before it has settled: what has been told by then is all there is to tell.
"""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atomiton_runtime.actors import flow_watcher, observing
from atomiton_runtime.actors.base import Address, Rank, stop_actor
from atomiton_runtime.actors.flow_watcher import FlowWatcher, WatcherBook
from atomiton_runtime.actors.messages import (
    FileGone,
    FileSettled,
    FileUnreadable,
    Ping,
    Raise,
)
from atomiton_runtime.run.notices import NoticeRaised
from tests.doubles.addresses import Collected
from tests.doubles.no_watches import ExhaustedObserver

OLD, NEW = b"old = 1\n", b"new = 2\n"
NEVER_S = 3600.0
_LAST = "zz-the-last-of-all.toml"
_numbers = itertools.count()


class Watch:
    """A watcher at work, and all that it says."""

    def __init__(self, folder: Path, address: Address) -> None:
        self.folder = folder
        self.address = address
        self.shelf = Collected("FlowShelf", Rank.SHELF)
        self.supervisor = Collected("Supervisor", Rank.SUPERVISOR)

    def settled(self) -> list[tuple[str, bytes | str]]:
        """Return what the shelf was told until now: (file name, its content, "gone" or an error's code)."""
        last = self.folder / _LAST
        content = str(next(_numbers)).encode()
        last.write_bytes(content)
        told = self.shelf.until(FileSettled(path=str(last), content=content))
        return [_in_short(message) for message in told]

    def next_fact(self) -> tuple[str, bytes | str]:
        """Return the next thing that the shelf is told."""
        return _in_short(self.shelf.next())

    def notice(self) -> str:
        """Return the code of the next notice."""
        raised = self.supervisor.next()
        assert isinstance(raised, Raise), raised
        assert isinstance(raised.notice, NoticeRaised)
        return raised.notice.error.code

    def ping(self) -> None:
        """Return once the watcher has handled all that it was told."""
        self.address.ask(Ping(), asker=Rank.CLIENT)


def _in_short(message: object) -> tuple[str, bytes | str]:
    match message:
        case FileSettled(path=path, content=content):
            return Path(path).name, content
        case FileGone(path=path):
            return Path(path).name, "gone"
        case FileUnreadable(path=path, error=error):
            return Path(path).name, error.code
        case _:
            raise AssertionError(message)


@contextlib.contextmanager
def watching(
    folder: Path, *, quiet_s: float = 0.25, rescan_s: float = NEVER_S, book: WatcherBook | None = None
) -> Iterator[Watch]:
    """Watch `folder`; what was there before has been told to the shelf, and read by nobody yet."""
    watch = Watch(folder, Address("FlowWatcher", Rank.WATCHER))
    actor = FlowWatcher.start(
        watch.address,
        watch.supervisor.tell,
        folder=folder,
        shelf=watch.shelf,
        quiet_s=quiet_s,
        rescan_s=rescan_s,
        book=book or WatcherBook(),
    )
    try:
        watch.ping()
        yield watch
    finally:
        assert stop_actor(actor, watch.address, 10)
    assert not [each for each in watch.supervisor.all_so_far() if not isinstance(each, Raise)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a flows folder that holds `a.toml`."""
    made = tmp_path / "flows"
    made.mkdir()
    (made / "a.toml").write_bytes(OLD)
    return made


# --- what programs do to `a.toml` ---------------------------------------------------------------------------


def in_place(folder: Path) -> None:
    (folder / "a.toml").write_bytes(NEW)


def slowly_in_place(folder: Path) -> None:
    with (folder / "a.toml").open("wb", buffering=0) as file:
        for byte in NEW:
            file.write(bytes([byte]))


def temporary_and_rename(folder: Path) -> None:
    temporary = folder / ".goutputstream-X1Y2Z3"
    temporary.write_bytes(NEW)
    temporary.rename(folder / "a.toml")


def temporary_with_our_suffix_and_rename(folder: Path) -> None:
    temporary = folder / "tmpk3j2.toml"
    temporary.write_bytes(NEW)
    temporary.rename(folder / "a.toml")


def rename_from_elsewhere(folder: Path) -> None:
    other = folder.parent / "elsewhere.toml"
    other.write_bytes(NEW)
    other.rename(folder / "a.toml")


def vim(folder: Path) -> None:
    probe = folder / "4913"
    probe.touch()
    probe.unlink()
    (folder / ".a.toml.swp").write_bytes(b"b0VIM")
    (folder / "a.toml").rename(folder / "a.toml~")
    (folder / "a.toml").write_bytes(NEW)
    (folder / "a.toml~").unlink()
    (folder / ".a.toml.swp").unlink()


def emacs(folder: Path) -> None:
    lock = folder / ".#a.toml"
    lock.symlink_to("somebody@machine.4711:1764000000")
    (folder / "#a.toml#").write_bytes(NEW)
    (folder / "a.toml").rename(folder / "a.toml~")
    (folder / "a.toml").write_bytes(NEW)
    (folder / "#a.toml#").unlink()
    lock.unlink()


def jetbrains(folder: Path) -> None:
    (folder / "a.toml___jb_tmp___").write_bytes(NEW)
    (folder / "a.toml").rename(folder / "a.toml___jb_old___")
    (folder / "a.toml___jb_tmp___").rename(folder / "a.toml")
    (folder / "a.toml___jb_old___").unlink()


def delete_and_create(folder: Path) -> None:
    (folder / "a.toml").unlink()
    (folder / "a.toml").write_bytes(NEW)


def rsync(folder: Path) -> None:
    (folder / ".a.toml.Q2w3E4").write_bytes(NEW)
    (folder / ".a.toml.Q2w3E4").rename(folder / "a.toml")
    os.utime(folder / "a.toml", (1_700_000_000, 1_700_000_000))


def syncthing(folder: Path) -> None:
    (folder / ".syncthing.a.toml.tmp").write_bytes(NEW)
    (folder / ".syncthing.a.toml.tmp").rename(folder / "a.toml")


def sed(folder: Path) -> None:
    subprocess.run(["sed", "-i", "s/old = 1/new = 2/", "a.toml"], cwd=folder, check=True, timeout=30)


def same_size_same_time(folder: Path) -> None:
    path = folder / "a.toml"
    before = path.stat()
    path.write_bytes(NEW)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def there_and_back(folder: Path) -> None:
    (folder / "a.toml").write_bytes(NEW)
    (folder / "a.toml").write_bytes(OLD)


def touch(folder: Path) -> None:
    (folder / "a.toml").touch()


def chmod(folder: Path) -> None:
    (folder / "a.toml").chmod(0o600)


def cat(folder: Path) -> None:
    (folder / "a.toml").read_bytes()


def saved_without_a_change(folder: Path) -> None:
    (folder / "a.toml").write_bytes(OLD)


def temporary_files_only(folder: Path) -> None:
    for name in (
        "4913",
        ".a.toml.swp",
        "a.toml~",
        "#a.toml#",
        "a.toml.tmp",
        "a.toml.bak",
        "notes.txt",
        ".toml",
    ):
        (folder / name).write_bytes(NEW)
    (folder / ".#a.toml").symlink_to("nowhere")


def deleted(folder: Path) -> None:
    (folder / "a.toml").unlink()


def renamed(folder: Path) -> None:
    (folder / "a.toml").rename(folder / "b.toml")


def renamed_in_case_only(folder: Path) -> None:
    (folder / "a.toml").rename(folder / "A.toml")


def renamed_to_no_flow(folder: Path) -> None:
    (folder / "a.toml").rename(folder / "a.toml.disabled")


def moved_away(folder: Path) -> None:
    (folder / "a.toml").rename(folder.parent / "a.toml")


def swapped(folder: Path) -> None:
    (folder / "b.toml").write_bytes(NEW)
    (folder / "a.toml").rename(folder / "c.tmp")
    (folder / "b.toml").rename(folder / "a.toml")
    (folder / "c.tmp").rename(folder / "b.toml")


def a_new_file(folder: Path) -> None:
    (folder / "b.toml").write_bytes(NEW)


def a_conflict_copy(folder: Path) -> None:
    (folder / "a (conflicted copy 2026-11-23).toml").write_bytes(NEW)


def a_hard_link(folder: Path) -> None:
    os.link(folder / "a.toml", folder / "b.toml")


def a_link_out_of_the_folder(folder: Path) -> None:
    (folder.parent / "elsewhere.toml").write_bytes(NEW)
    (folder / "a.toml").unlink()
    (folder / "a.toml").symlink_to("../elsewhere.toml")


def a_pipe(folder: Path) -> None:
    (folder / "a.toml").unlink()
    os.mkfifo(folder / "a.toml")


def a_folder(folder: Path) -> None:
    (folder / "a.toml").unlink()
    (folder / "a.toml").mkdir()


def a_socket(folder: Path) -> None:
    (folder / "a.toml").unlink()
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(folder):
        listener.bind("a.toml")  # relative: the whole path may be too long for a socket


def a_dangling_link(folder: Path) -> None:
    (folder / "a.toml").unlink()
    (folder / "a.toml").symlink_to("nowhere.toml")


def a_looping_link(folder: Path) -> None:
    (folder / "a.toml").unlink()
    (folder / "a.toml").symlink_to("a.toml")


def an_unreadable_file(folder: Path) -> None:
    (folder / "a.toml").unlink()
    (folder / "a.toml").symlink_to(
        "/proc/self/mem"
    )  # a regular file whose first byte cannot be read, even by root


def a_device(folder: Path) -> None:
    (folder / "a.toml").unlink()
    (folder / "a.toml").symlink_to("/dev/zero")


def a_name_with_everything(folder: Path) -> None:
    (folder / "ünï cödé & [x] 'q' \"d\".v2.toml").write_bytes(NEW)


SAVED = [("a.toml", NEW)]
NOTHING: list[tuple[str, bytes | str]] = []
Told = list[tuple[str, bytes | str]]
DANCES: list[tuple[Callable[[Path], None], Told]] = [
    (in_place, SAVED),
    (slowly_in_place, SAVED),
    (temporary_and_rename, SAVED),
    (temporary_with_our_suffix_and_rename, SAVED),
    (rename_from_elsewhere, SAVED),
    (vim, SAVED),
    (emacs, SAVED),
    (jetbrains, SAVED),
    (delete_and_create, SAVED),
    (rsync, SAVED),
    (syncthing, SAVED),
    (sed, SAVED),
    (same_size_same_time, SAVED),
    (a_link_out_of_the_folder, SAVED),
    (there_and_back, NOTHING),
    (touch, NOTHING),
    (chmod, NOTHING),
    (cat, NOTHING),
    (saved_without_a_change, NOTHING),
    (temporary_files_only, NOTHING),
    (deleted, [("a.toml", "gone")]),
    (moved_away, [("a.toml", "gone")]),
    (renamed, [("a.toml", "gone"), ("b.toml", OLD)]),
    (renamed_in_case_only, [("A.toml", OLD), ("a.toml", "gone")]),
    (renamed_to_no_flow, [("a.toml", "gone")]),
    (swapped, [("a.toml", NEW), ("b.toml", OLD)]),
    (a_new_file, [("b.toml", NEW)]),
    (a_conflict_copy, [("a (conflicted copy 2026-11-23).toml", NEW)]),
    (a_hard_link, [("b.toml", OLD)]),
    (a_pipe, [("a.toml", "WATCH-002")]),
    (a_folder, [("a.toml", "WATCH-002")]),
    (a_socket, [("a.toml", "WATCH-002")]),
    (a_device, [("a.toml", "WATCH-002")]),
    (a_dangling_link, [("a.toml", "WATCH-003")]),
    (a_looping_link, [("a.toml", "WATCH-003")]),
    (an_unreadable_file, [("a.toml", "WATCH-001")]),
    (a_name_with_everything, [("ünï cödé & [x] 'q' \"d\".v2.toml", NEW)]),
]


@pytest.mark.parametrize(("dance", "told"), DANCES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_a_program_does_is_told_as_what_it_means(
    folder: Path, dance: Callable[[Path], None], told: Told
) -> None:
    """However a program saves, the shelf is told once, with the whole of the new content, and of nothing else."""
    with watching(folder) as watch:
        assert watch.next_fact() == ("a.toml", OLD)

        dance(folder)

        assert sorted(watch.settled(), key=lambda fact: fact[0]) == told


def test_the_whole_table_again_without_events(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells of no changes, rescans find the same: each dance in turn, in one folder."""
    monkeypatch.setattr(observing, "Observer", ExhaustedObserver)
    monkeypatch.setattr(flow_watcher, "_POLLING_RESCAN_S", 0.02)
    with watching(folder, quiet_s=0.05) as watch:
        assert watch.next_fact() == ("a.toml", OLD)
        assert watch.notice() == "WATCH-006"
        for dance in (in_place, there_and_back, temporary_and_rename, vim, renamed):
            shutil.rmtree(folder / "a.toml", ignore_errors=True)
            (folder / "a.toml").write_bytes(OLD)
            watch.settled()
            dance(folder)
            told = [fact for fact in watch.settled() if fact[0] != _LAST]
            assert sorted(told) == sorted(dict(DANCES)[dance]), dance.__name__
    assert watch.supervisor.all_so_far() == [], "the notice is raised once"
