"""What reaches the shelf when editors and tools do to flow files what they really do.

Each case repeats the system calls of a program, with real files and real events. A last file, written afterwards, tells
that everything before it has settled: what has been told by then is all there is to tell.
"""

import contextlib
import itertools
import logging
import os
import shutil
import socket
import subprocess
import threading
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
    Hint,
    LookAgain,
    Ping,
    Raise,
    TypesChanged,
)
from atomiton_runtime.actors.observing import FolderObserver, Hints
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
        case TypesChanged():
            return "types", "changed"
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


@pytest.mark.parametrize(("dance", "told"), DANCES, ids=[dance.__name__ for dance, _ in DANCES])
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


# --- floods, and content in motion ----------------------------------------------------------------------------


def test_two_thousand_saves_end_with_the_last(folder: Path) -> None:
    """After 2000 saves as fast as the disk allows, the last content is told, and hardly any of those before."""
    with watching(folder, quiet_s=0.1) as watch:
        assert watch.next_fact() == ("a.toml", OLD)

        for number in range(2000):
            (folder / "a.toml").write_bytes(b"%d" % number)

        told = watch.settled()
        assert told[-1] == ("a.toml", b"1999")
        assert len(told) <= 10


def test_a_flood_of_events_is_one_message(tmp_path: Path) -> None:
    """Until the watcher takes what there is, ten thousand events put a single message into its mailbox."""
    messages = list[Hint]()
    hints = Hints(tmp_path, messages.append)

    for number in range(10_000):
        hints.add(f"{number % 3}.toml", "noise.tmp", ".hidden.toml")

    assert messages == [Hint(paths=(str(tmp_path / "0.toml"),))]
    assert set(hints.take()) == {str(tmp_path / f"{number}.toml") for number in range(3)}
    hints.add("noise.tmp")
    assert len(messages) == 1
    hints.add("1.toml")
    assert len(messages) == 2


def test_half_written_content_is_followed_by_the_whole(folder: Path) -> None:
    """A program that pauses in the middle of a file has the half told, then the whole."""
    with watching(folder, quiet_s=0.05) as watch:
        assert watch.next_fact() == ("a.toml", OLD)
        with (folder / "a.toml").open("wb", buffering=0) as file:
            file.write(NEW[:4])
            assert watch.next_fact() == ("a.toml", NEW[:4])
            file.write(NEW[4:])
        assert watch.next_fact() == ("a.toml", NEW)
        assert watch.settled() == []


def test_a_file_that_never_rests_is_told_all_the_same(folder: Path) -> None:
    """A file that is written without a pause for longer than the quiet time is told within two seconds."""
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.01):
            (folder / "a.toml").write_bytes(b"%d" % next(_numbers))

    with watching(folder, quiet_s=0.5) as watch:
        assert watch.next_fact() == ("a.toml", OLD)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            assert watch.next_fact()[0] == "a.toml"
        finally:
            done.set()
            writer.join()


def test_a_large_file_is_not_read_whole(folder: Path) -> None:
    """Of a file over the limit one byte more than the limit is read: the loader then refuses it."""
    with (folder / "a.toml").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    with watching(folder) as watch:
        settled = watch.shelf.next()
        assert isinstance(settled, FileSettled)
        assert len(settled.content) == 1024 * 1024 + 1


# --- beginning, and being asked -------------------------------------------------------------------------------


def test_the_first_scan_tells_of_all_files(folder: Path) -> None:
    """What is there when watching begins is told at once, and as nobody's save."""
    (folder / "b.toml").write_bytes(NEW)
    (folder / "ignored.txt").write_bytes(NEW)
    with watching(folder, quiet_s=NEVER_S) as watch:
        assert watch.shelf.all_so_far() == [
            FileSettled(path=str(folder / "a.toml"), content=OLD, first_scan=True),
            FileSettled(path=str(folder / "b.toml"), content=NEW, first_scan=True),
        ]


def test_a_second_look_is_told_though_nothing_changed(folder: Path) -> None:
    """Asked to look again, the watcher tells the content after another quiet time, once."""
    with watching(folder, quiet_s=0.05) as watch:
        path = str(folder / "a.toml")
        assert watch.next_fact() == ("a.toml", OLD)

        watch.address.tell(LookAgain(path=path))

        assert watch.shelf.next() == FileSettled(path=path, content=OLD, second_look=True)
        assert watch.settled() == []


def test_another_incarnation_goes_on_where_the_last_one_ended(folder: Path) -> None:
    """A watcher started anew tells what changed in between as saves, and what did not not at all."""
    book = WatcherBook()
    (folder / "b.toml").write_bytes(OLD)
    (folder / "c.toml").write_bytes(OLD)
    with watching(folder, quiet_s=0.05, book=book) as watch:
        assert [watch.next_fact()[0] for _ in range(3)] == ["a.toml", "b.toml", "c.toml"]
    (folder / "a.toml").write_bytes(NEW)
    (folder / "b.toml").unlink()

    with watching(folder, quiet_s=0.05, book=book) as watch:
        assert sorted(watch.settled()) == [("a.toml", NEW), ("b.toml", "gone")]


def test_no_thread_is_left(folder: Path) -> None:
    """When the watcher has stopped, so have the observer's threads."""
    before = set(threading.enumerate())
    with watching(folder):
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) <= before


# --- the folder -----------------------------------------------------------------------------------------------


def test_a_folder_that_vanishes_and_comes_back(folder: Path) -> None:
    """A deleted folder takes no flow away; when it is back, it is compared with what was seen, and watched again."""
    (folder / "b.toml").write_bytes(OLD)
    with watching(folder, quiet_s=0.05) as watch:
        assert [watch.next_fact()[0] for _ in range(2)] == ["a.toml", "b.toml"]

        shutil.rmtree(folder)
        assert watch.notice() == "WATCH-004"
        folder.mkdir()
        (folder / "a.toml").write_bytes(NEW)

        assert watch.notice() == "WATCH-005"
        assert sorted([watch.next_fact(), watch.next_fact()]) == [("a.toml", NEW), ("b.toml", "gone")]
        (folder / "a.toml").write_bytes(OLD)
        assert watch.next_fact() == ("a.toml", OLD), "the new folder is watched"


def test_a_folder_replaced_at_once_is_watched(folder: Path) -> None:
    """A folder deleted and created within the quiet time, perhaps with the same inode, is watched from then on."""
    with watching(folder, quiet_s=0.1) as watch:
        assert watch.next_fact() == ("a.toml", OLD)
        for content in (NEW, OLD, NEW):
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / "a.toml").write_bytes(content)
            assert watch.next_fact() == ("a.toml", content)
            (folder / "a.toml").write_bytes(content + content)
            assert watch.next_fact() == ("a.toml", content + content)


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """A folder missing at the start is noticed once and waited for; what it then holds is loaded, as nobody's save."""
    folder = tmp_path / "flows"
    with watching(folder, rescan_s=0.05) as watch:
        assert watch.notice() == "WATCH-004"
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "a.toml").write_bytes(OLD)
        (tmp_path / "made").rename(folder)

        assert watch.notice() == "WATCH-005"
        assert watch.shelf.next() == FileSettled(path=str(folder / "a.toml"), content=OLD, first_scan=True)
        assert watch.settled() == []
        assert watch.supervisor.all_so_far() == []


def test_a_file_in_place_of_the_folder(folder: Path) -> None:
    """A file where the folder was is a folder that is not there."""
    with watching(folder, quiet_s=0.05, rescan_s=0.1) as watch:
        assert watch.next_fact() == ("a.toml", OLD)
        folder.rename(folder.parent / "away")
        folder.write_bytes(b"no folder")
        assert watch.notice() == "WATCH-004"
        folder.unlink()
        (folder.parent / "away").rename(folder)
        assert watch.notice() == "WATCH-005"
        assert watch.settled() == []


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,
    reason="needs two file systems",
)
def test_an_unmounted_folder_is_not_an_emptied_one(folder: Path, tmp_path: Path) -> None:
    """An empty folder of another device in the folder's place is a lost folder: no flow is declared gone."""
    link = tmp_path / "link"
    link.symlink_to(folder)
    mount_point = Path("/dev/shm") / f"atomiton-{os.getpid()}-{next(_numbers)}"
    mount_point.mkdir()
    try:
        with watching(link, quiet_s=0.05, rescan_s=0.1) as watch:
            assert watch.next_fact() == ("a.toml", OLD)
            _redirect(link, mount_point)
            assert watch.notice() == "WATCH-004"
            _redirect(link, folder)
            assert watch.notice() == "WATCH-005"
            assert watch.settled() == []
    finally:
        mount_point.rmdir()


def _redirect(link: Path, target: Path) -> None:
    new = link.with_name("new-link")
    new.symlink_to(target)
    new.replace(link)


def test_a_link_to_the_folder_is_followed(folder: Path, tmp_path: Path) -> None:
    """A flows folder that is a link is watched where it leads, under the name it has."""
    link = tmp_path / "link"
    link.symlink_to(folder)
    with watching(link, quiet_s=0.05) as watch:
        assert watch.next_fact() == ("a.toml", OLD)
        (folder / "a.toml").write_bytes(NEW)
        assert watch.shelf.next() == FileSettled(path=str(link / "a.toml"), content=NEW)


def test_a_link_to_a_file_elsewhere_is_found_by_the_rescan(folder: Path, tmp_path: Path) -> None:
    """Nobody tells of a change behind a link out of the folder: the rescan finds it."""
    target = tmp_path / "elsewhere.toml"
    target.write_bytes(OLD)
    (folder / "b.toml").symlink_to(target)
    with watching(folder, quiet_s=0.05, rescan_s=0.1) as watch:
        assert [watch.next_fact() for _ in range(2)] == [("a.toml", OLD), ("b.toml", OLD)]
        target.write_bytes(NEW)
        assert watch.next_fact() == ("b.toml", NEW)


# --- the system -----------------------------------------------------------------------------------------------


def test_without_watches_the_folder_is_looked_at_often(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no inotify watch left, saves are found by looking; when there are watches again, they are used."""
    monkeypatch.setattr(observing, "Observer", ExhaustedObserver)
    monkeypatch.setattr(flow_watcher, "_POLLING_RESCAN_S", 0.02)
    before = set(threading.enumerate())
    with watching(folder, quiet_s=0.05, rescan_s=0.2) as watch:
        assert watch.notice() == "WATCH-006"
        assert watch.next_fact() == ("a.toml", OLD)
        assert len(set(threading.enumerate()) - before) == 1, "a failed observer leaves no thread"
        (folder / "a.toml").write_bytes(NEW)
        assert watch.next_fact() == ("a.toml", NEW)

        monkeypatch.undo()
        (folder / "a.toml").write_bytes(OLD)
        assert watch.next_fact() == ("a.toml", OLD)
    assert watch.supervisor.all_so_far() == [], "the notice is raised once"


def test_a_fault_in_the_handler_does_not_end_the_observer(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception while an event is handled costs that event, not all later ones."""
    arrived = Collected()

    def raise_once(hint: Hint) -> None:
        arrived.tell(hint)
        hints.take()
        if len(caplog.records) == 0:
            raise OSError("a fault of the test")

    caplog.set_level(logging.ERROR)
    hints = Hints(folder, raise_once)
    observer = FolderObserver(folder, hints)
    try:
        (folder / "a.toml").write_bytes(NEW)
        assert arrived.next() == Hint(paths=(str(folder / "a.toml"),))
        (folder / "b.toml").write_bytes(NEW)
        assert arrived.until(Hint(paths=(str(folder / "b.toml"),))) is not None
        assert observer.alive
    finally:
        observer.stop()
    assert [record.getMessage() for record in caplog.records] == ["a file event was lost"]


def test_an_observer_that_died_is_replaced(folder: Path) -> None:
    """A rescan finds out that no event can come any more, and watches anew."""
    with watching(folder, quiet_s=0.05, rescan_s=0.05) as watch:
        assert watch.next_fact() == ("a.toml", OLD)
        for thread in threading.enumerate():
            if isinstance(thread, observing.BaseObserver):
                thread.stop()
                thread.join(10)
        for content in (NEW, OLD):
            (folder / "a.toml").write_bytes(content)
            assert watch.next_fact() == ("a.toml", content)


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda folder: folder.chmod(0o777), "WATCH-008"),
        (lambda folder: (folder / "b.toml").rename(folder / os.fsdecode(b"\xff.toml")), "WATCH-010"),
    ],
    ids=["others may write", "a name that is no Unicode"],
)
def test_a_lasting_condition_is_noticed_once(
    folder: Path, prepare: Callable[[Path], object], code: str
) -> None:
    """What is wrong with the folder itself is said when it begins, not at each look."""
    (folder / "b.toml").write_bytes(OLD)
    prepare(folder)
    with watching(folder, quiet_s=0.05, rescan_s=0.05) as watch:
        assert watch.notice() == code
        for _ in range(3):
            watch.settled()
    assert watch.supervisor.all_so_far() == []


def test_too_many_files_are_capped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more files than the limit those first by name are taken, and the user is told."""
    monkeypatch.setattr("atomiton_runtime.actors.flow_files.FILES_LIMIT", 3)
    monkeypatch.setattr(flow_watcher, "FILES_LIMIT", 3)
    for name in "bcdef":
        (folder / f"{name}.toml").write_bytes(NEW)
    with watching(folder, quiet_s=0.05, rescan_s=0.05) as watch:
        assert watch.notice() == "WATCH-007"
        assert [watch.next_fact()[0] for _ in range(3)] == ["a.toml", "b.toml", "c.toml"]
        (folder / "e.toml").write_bytes(OLD)
        (folder / "a.toml").write_bytes(NEW)
        assert watch.next_fact() == ("a.toml", NEW)


# --- git ------------------------------------------------------------------------------------------------------


def _git(folder: Path, *words: str) -> None:
    environ = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "somebody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    subprocess.run(["git", *words], cwd=folder, env=environ, check=True, timeout=30, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_changes_what_it_changes(folder: Path) -> None:
    """Checkout, stash and its return tell exactly the files whose content they changed."""
    (folder / "b.toml").write_bytes(OLD)
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "one")
    _git(folder, "checkout", "-q", "-b", "other")
    (folder / "a.toml").write_bytes(NEW)
    (folder / "c.toml").write_bytes(NEW)
    _git(folder, "rm", "-q", "b.toml")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "two")
    with watching(folder) as watch:
        assert [watch.next_fact()[0] for _ in range(2)] == ["a.toml", "c.toml"]

        _git(folder, "checkout", "-q", "main")
        assert sorted(watch.settled()) == [("a.toml", OLD), ("b.toml", OLD), ("c.toml", "gone")]
        (folder / "a.toml").write_bytes(NEW)
        assert watch.settled() == [("a.toml", NEW)]
        _git(folder, "stash", "-q")
        assert watch.settled() == [("a.toml", OLD)]
        _git(folder, "stash", "pop", "-q")
        assert watch.settled() == [("a.toml", NEW)]


TYPES = [("types", "changed")]


def save_type(folder: Path, name: str = "shout.py") -> None:
    """Write a file where node types are, as an editor does."""
    (folder / "nodes").mkdir(exist_ok=True)
    (folder / "nodes" / name).write_text(f"x = {next(_numbers)}", encoding="utf-8")


class TestTypes:
    def test_a_saved_type_is_told_once_it_has_rested(self, tmp_path: Path) -> None:
        """Many writes to a node type's file are one word to the shelf; other files there are none."""
        (tmp_path / "nodes").mkdir()
        with watching(tmp_path) as watch:
            assert watch.settled() == TYPES, "the first scan finds the folder"
            for _ in range(20):
                save_type(tmp_path)
            assert watch.next_fact() == TYPES[0]
            save_type(tmp_path, "notes.txt")
            save_type(tmp_path, "flow.toml")
            save_type(tmp_path, "_private.py")
            assert watch.settled() == []
            (tmp_path / "nodes" / "shout.py").unlink()
            assert watch.next_fact() == TYPES[0]

    def test_a_folder_that_comes_later_is_watched(self, tmp_path: Path) -> None:
        """The folder of node types may be made, removed and made again while flows are watched."""
        with watching(tmp_path) as watch:
            for _ in range(2):
                save_type(tmp_path)
                assert watch.next_fact() == TYPES[0]
                watch.settled()
                save_type(tmp_path)
                assert watch.next_fact() == TYPES[0]
                shutil.rmtree(tmp_path / "nodes")
                assert watch.next_fact() == TYPES[0]
                watch.settled()

    def test_a_folder_that_is_moved_in_is_watched(self, tmp_path: Path) -> None:
        """A folder that gets the name `nodes` is the folder of node types from then on; a flow may have the name."""
        (tmp_path / "other").mkdir()
        with watching(tmp_path) as watch:
            (tmp_path / "nodes.toml").write_bytes(NEW)
            assert watch.next_fact() == ("nodes.toml", NEW)
            (tmp_path / "other").rename(tmp_path / "nodes")
            assert watch.next_fact() == TYPES[0]
            watch.settled()
            save_type(tmp_path)
            assert watch.next_fact() == TYPES[0]
