"""A fingerprint changes with the content, and with nothing else; what has not changed is not read again."""

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from atomiton_runtime.nodes.base import NodeCancelledError, NodeError
from atomiton_runtime.nodes.fingerprints import Fingerprints, may_hide_a_change

LATER_NS = 60_000_000_000
SECOND_NS = 1_000_000_000


class Reader:
    """Reads as the system does, and counts the files that it has read to their ends."""

    def __init__(self) -> None:
        self.files = 0
        self.replacement: bytes | None = None
        """What files hold from now on, though nothing else of them changes."""
        self.before_end = lambda: None
        """Is called when the end of a file is met."""

    def __call__(self, descriptor: int) -> bytes:
        """Return the next bytes."""
        chunk = os.read(descriptor, 1024 * 1024)
        if not chunk:
            self.files += 1
            self.before_end()
        return chunk if self.replacement is None else self.replacement[: len(chunk)]


class BecomesPipe(type(Path())):
    """A path of a file that is a pipe as soon as somebody has looked at it."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return what it was."""
        status = super().stat(follow_symlinks=follow_symlinks)
        self.unlink()
        os.mkfifo(self)
        return status


class Clock:
    """Says a time that is so much later than now."""

    def __init__(self, later_ns: int = LATER_NS) -> None:
        self.later_ns = later_ns

    def __call__(self) -> int:
        """Return nanoseconds since the epoch."""
        return time.time_ns() + self.later_ns


def fingerprints(reader: Reader | None = None, **options: int) -> Fingerprints:
    """Return fingerprints of a time when what the test has written is long past."""
    return Fingerprints(read_chunk=reader or Reader(), now_ns=Clock(), **options)


def file(path: Path, content: str = "abc") -> Path:
    """Return the path of a file that has been written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_the_content_alone_makes_it(tmp_path: Path) -> None:
    """Two files with the same content have the same fingerprint, whatever they are called: BLAKE2b, 128 bits."""
    found = fingerprints()

    assert found.of(file(tmp_path / "a")) == "file cf4ab791c62b8d2b2109c90275287816"
    assert found.of(file(tmp_path / "sub/b")) == "file cf4ab791c62b8d2b2109c90275287816"
    assert found.of(file(tmp_path / "c", "")) == "file cae66941d9efbd404e4d88758ea67670"


def test_where_nothing_is(tmp_path: Path) -> None:
    """Nothing is there, nothing can be there, and a link leads to nothing: all of it is `absent`."""
    (tmp_path / "dangling").symlink_to("nowhere")
    file(tmp_path / "a")

    paths = (tmp_path / "x", tmp_path / "x/y", tmp_path / "a/below", tmp_path / "dangling")
    assert ["absent"] * 4 == [fingerprints().of(path) for path in paths]


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would wait for ever; none is opened, also not in a folder."""
    os.mkfifo(tmp_path / "pipe")
    reader = Reader()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        found = [
            fingerprints(reader).of(path)
            for path in (tmp_path / "pipe", tmp_path / "socket", Path(os.devnull), tmp_path)
        ]

    assert ["other"] * 3 == found[:3]
    assert found[3].startswith("folder ")
    assert reader.files == 0


def test_a_link_counts_as_what_it_leads_to(tmp_path: Path) -> None:
    """A link to a file is that file, a link to a folder that folder."""
    file(tmp_path / "folder/a")
    (tmp_path / "to-file").symlink_to("folder/a")
    (tmp_path / "to-folder").symlink_to("folder")

    assert fingerprints().of(tmp_path / "folder/a") == fingerprints().of(tmp_path / "to-file")
    assert fingerprints().of(tmp_path / "folder") == fingerprints().of(tmp_path / "to-folder")


def test_an_unchanged_file_is_read_once(tmp_path: Path) -> None:
    """A second look does not read, by whatever path it comes."""
    path, reader = file(tmp_path / "a"), Reader()
    (tmp_path / "link").symlink_to("a")
    found = fingerprints(reader)

    assert len({found.of(each) for each in (path, path, tmp_path / "link")}) == 1
    assert reader.files == 1


def test_a_file_that_was_only_touched_keeps_its_fingerprint(tmp_path: Path) -> None:
    """Other times, and another file in its place, change nothing: it is read again, and holds the same."""
    path, reader = file(tmp_path / "a"), Reader()
    found = fingerprints(reader)
    before = found.of(path)
    os.utime(path, ns=(SECOND_NS, SECOND_NS))
    touched = found.of(path)
    file(tmp_path / "b").replace(path)

    assert [before, before] == [touched, found.of(path)]
    assert reader.files == 3


def test_a_changed_file_is_another_one(tmp_path: Path) -> None:
    """Another content is another fingerprint, and the old content the old one again."""
    path, found = file(tmp_path / "a"), fingerprints()
    before = found.of(path)

    assert found.of(file(path, "abcd")) != before
    assert found.of(file(path)) == before


def test_same_size_and_time_but_another_content_is_noticed(tmp_path: Path) -> None:
    """A file that was just written may be written again within the tick of the kernel's clock: nobody trusts it."""
    path = file(tmp_path / "a", "abc")
    found = Fingerprints()
    before, status = found.of(path), path.stat()
    file(path, "xyz")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert found.of(path) != before


@pytest.mark.parametrize(
    ("later_ns", "noticed"),
    [(0, True), (50_000_000, True), (SECOND_NS, False), (-LATER_NS, True)],
    ids=["at once", "within the moment", "later", "a clock that was set back"],
)
def test_what_times_cannot_tell_apart_is_read_again(tmp_path: Path, later_ns: int, noticed: bool) -> None:
    """If nothing but the content differs, it is noticed exactly if the file had changed within a moment before."""
    path, reader = file(tmp_path / "a"), Reader()
    changed_ns = path.stat().st_ctime_ns
    found = Fingerprints(read_chunk=reader, now_ns=lambda: changed_ns + later_ns)
    before = found.of(path)
    reader.replacement = b"xyz"

    assert noticed == (found.of(path) != before)


@pytest.mark.parametrize(
    ("modified_ns", "changed_ns", "read_ns", "hidden"),
    [
        (7 * SECOND_NS + 1, 7 * SECOND_NS + 1, 8 * SECOND_NS, False),
        (7 * SECOND_NS, 7 * SECOND_NS + 1, 8 * SECOND_NS, False),
        (7 * SECOND_NS, 7 * SECOND_NS, 8 * SECOND_NS, True),
        (6 * SECOND_NS, 6 * SECOND_NS, 9 * SECOND_NS, False),
        (1, 7 * SECOND_NS + 1, 7 * SECOND_NS + 2, True),
        (9 * SECOND_NS + 1, 1, 8 * SECOND_NS, True),
    ],
)
def test_a_file_system_that_keeps_whole_seconds_is_trusted_later(
    modified_ns: int, changed_ns: int, read_ns: int, hidden: bool
) -> None:
    """Times that are whole seconds both may be so for want of better ones: then two seconds must have passed."""
    assert hidden == may_hide_a_change(modified_ns=modified_ns, changed_ns=changed_ns, read_ns=read_ns)


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """What came of it may be half the old and half the new content, so nobody keeps it."""
    path, reader = file(tmp_path / "a"), Reader()
    reader.before_end = lambda: os.utime(path, ns=(SECOND_NS, SECOND_NS))
    found = fingerprints(reader)
    found.of(path)
    found.of(path)

    assert reader.files == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc on this system")
def test_a_file_that_hides_its_size_is_read_each_time() -> None:
    """A file of /proc has content and says it has none: its times tell nothing either."""
    reader = Reader()
    found = fingerprints(reader)
    found.of(Path("/proc/self/limits"))
    found.of(Path("/proc/self/limits"))

    assert reader.files == 2


def test_the_hashes_used_last_are_kept(tmp_path: Path) -> None:
    """When there are too many, the one that was asked for longest ago goes."""
    one, two, three = (file(tmp_path / name, name) for name in ("one", "two", "three"))
    reader = Reader()
    found = fingerprints(reader, most_remembered=2)
    for path in (one, two, one, three):
        found.of(path)
    assert reader.files == 3

    found.of(one)
    assert reader.files == 3
    found.of(two)
    assert reader.files == 4


def test_reading_can_be_ended_in_the_middle(tmp_path: Path) -> None:
    """The pulse is called for every piece: what it raises comes out, and no other piece is read."""
    path, reader = file(tmp_path / "a", "x" * (3 * 1024 * 1024)), Reader()
    beats: list[int] = []

    def pulse() -> None:
        beats.append(1)
        if len(beats) == 2:
            raise NodeCancelledError

    with pytest.raises(NodeCancelledError):
        fingerprints(reader).of(path, pulse)
    assert reader.files == 0


def test_a_folder_can_be_left_in_the_middle(tmp_path: Path) -> None:
    """The pulse is called for every entry, too."""
    for name in "abc":
        (tmp_path / name).mkdir()
    beats: list[int] = []
    fingerprints().of(tmp_path, lambda: beats.append(1))

    assert len(beats) >= 3


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: file(folder / "sub/a", "other"),
        lambda folder: file(folder / "sub/new", ""),
        lambda folder: (folder / "empty").rmdir(),
        lambda folder: (folder / "sub/a").rename(folder / "sub/b"),
        lambda folder: (folder / "link").unlink() or (folder / "link").symlink_to("sub/c"),
        lambda folder: file(folder.parent / "beside", "other"),
        lambda folder: (folder / "empty").rmdir() or file(folder / "empty", ""),
    ],
    ids=["content", "new", "removed", "renamed", "link", "led to", "kind"],
)
def test_all_that_is_below_a_folder_counts(tmp_path: Path, change: object) -> None:
    """Contents, names, kinds and links: whatever of these changes, the folder has changed."""
    folder = tmp_path / "folder"
    file(folder / "sub/a")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("sub/a")
    file(tmp_path / "beside")
    (folder / "out").symlink_to("../beside")
    found = fingerprints()
    before = found.of(folder)
    assert found.of(folder) == before
    assert callable(change)

    change(folder)

    assert found.of(folder) != before


def test_times_of_what_is_in_a_folder_do_not_count(tmp_path: Path) -> None:
    """A copy of a folder has its fingerprint, and only what was changed is read again."""
    file(tmp_path / "one/a")
    file(tmp_path / "one/b")
    file(tmp_path / "two/b")
    file(tmp_path / "two/a")
    reader = Reader()
    found = fingerprints(reader)
    before = found.of(tmp_path / "one")
    os.utime(tmp_path / "one/a", ns=(SECOND_NS, SECOND_NS))

    assert [before, before] == [found.of(tmp_path / "one"), found.of(tmp_path / "two")]
    assert reader.files == 5


def test_links_that_lead_round_in_a_circle_are_no_trouble(tmp_path: Path) -> None:
    """A link to the folder that it is in, one to itself and one to nothing count by what they say."""
    (tmp_path / "round").symlink_to(".")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "nowhere").symlink_to("missing")

    assert fingerprints().of(tmp_path).startswith("folder ")


def test_the_contents_of_a_very_large_folder_are_not_read(tmp_path: Path) -> None:
    """Sizes and times count instead, so that a look costs little; whoever touches a file changes the folder."""
    for name in "abcd":
        file(tmp_path / name)
    (tmp_path / "link").symlink_to("a")
    reader = Reader()
    found = fingerprints(reader, most_entries=4)
    before = found.of(tmp_path)
    same = found.of(tmp_path)
    os.utime(tmp_path / "d", ns=(SECOND_NS, SECOND_NS))

    assert (before, 0) == (same, reader.files)
    assert found.of(tmp_path) != before


def test_what_goes_away_while_it_is_looked_at_is_left_out(tmp_path: Path) -> None:
    """A folder and a file that vanish between listing and looking are as if they had never been there."""
    file(tmp_path / "one/a")
    file(tmp_path / "two/a")
    file(tmp_path / "two/z")
    (tmp_path / "two/sub").mkdir()
    beats: list[int] = []

    def pulse() -> None:
        beats.append(1)
        if len(beats) == 2:  # The folder itself has been listed.
            (tmp_path / "two/z").unlink()
            (tmp_path / "two/sub").rmdir()

    def without_names(path: Path) -> str:
        return fingerprints().of(path, pulse if path.name == "two" else lambda: None)

    assert "folder " in without_names(tmp_path / "two")
    assert fingerprints().of(tmp_path / "one") == fingerprints().of(tmp_path / "two")


def test_a_folder_that_goes_away_is_absent(tmp_path: Path) -> None:
    """Also if it goes after it was found to be a folder."""
    folder = tmp_path / "folder"
    folder.mkdir()

    assert fingerprints().of(folder, folder.rmdir) == "absent"


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    """A path that is a pipe by the time it is opened is `other`, and opening it does not wait for a writer."""
    assert fingerprints().of(BecomesPipe(file(tmp_path / "a"))) == "other"


def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    """A refusal of the system is an error that a flow's author understands, with the path that it is about."""
    (tmp_path / "self").symlink_to("self")

    def refusing(descriptor: int) -> bytes:
        del descriptor
        raise OSError(5, "Input/output error")

    broken = Fingerprints(read_chunk=refusing)
    with pytest.raises(NodeError, match=r"self is a link that leads round in a circle") as looped:
        broken.of(tmp_path / "self")
    (tmp_path / "self").unlink()
    path = file(tmp_path / "a")
    with pytest.raises(NodeError, match=f"{path} cannot be used: Input/output error") as alone:
        broken.of(path)
    with pytest.raises(NodeError, match=f"{path} cannot be used: Input/output error") as within:
        broken.of(tmp_path)

    assert ["FILE-007", "FILE-099", "FILE-099"] == [each.value.code for each in (looped, alone, within)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_is_forbidden_is_said(tmp_path: Path) -> None:
    """A file without permission to read is no fingerprint but an error."""
    path = file(tmp_path / "a")
    path.chmod(0)
    with pytest.raises(NodeError) as refused:
        fingerprints().of(path)

    assert refused.value.code == "FILE-005"


def test_many_threads_may_ask_at_once(tmp_path: Path) -> None:
    """Eight threads that look at the same files get the same answers, with a memory too small for them all."""
    paths = [file(tmp_path / str(number), str(number)) for number in range(20)]
    found, start = fingerprints(most_remembered=5), threading.Barrier(8, timeout=20)

    def look() -> list[str]:
        start.wait()
        return [found.of(path) for _ in range(5) for path in paths]

    with ThreadPoolExecutor(8) as threads:
        answers = [asked.result(timeout=20) for asked in [threads.submit(look) for _ in range(8)]]

    assert [answers[0]] * 8 == answers
    assert len(set(answers[0])) == 20
