"""The diagnosis says what is there and what is wrong, whatever is wrong, and changes nothing."""

import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from atomiton_runtime import Runtime
from atomiton_runtime.doctor import places as places_checks
from atomiton_runtime.doctor import system
from atomiton_runtime.doctor.examination import examine
from atomiton_runtime.doctor.finding import Finding
from atomiton_runtime.doctor.places import size_words
from atomiton_runtime.doctor.processes import is_held, processes_of
from atomiton_runtime.errors import RuntimeUnusable, UsageError
from atomiton_runtime.settings import Places
from atomiton_runtime.storage.create import create_sqlite_engine
from atomiton_runtime.tray.autostart import desktop_entry
from tests.doubles.flow_files import BROKEN, HELLO
from tests.doubles.journals import queued


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return the folders of an installation with one flow; the data folder is not there yet."""
    (tmp_path / "flows").mkdir(mode=0o755)
    (tmp_path / "flows" / "hello.toml").write_text(HELLO, encoding="utf-8")
    return Places(flows=tmp_path / "flows", data=tmp_path / "data")


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """Return path -> mode, time of the last change and content of everything in a folder."""
    found: dict[str, tuple[int, int, bytes | None]] = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[str(path)] = status.st_mode, status.st_mtime_ns, content
    return found


def found(places: Places) -> dict[str, Finding]:
    """Return subject -> its last finding, of a diagnosis that wrote nothing."""
    folder = places.data.parent
    before = snapshot(folder)
    findings = examine(lambda: places)
    assert snapshot(folder) == before
    assert all(finding.hint or finding.level == "ok" for finding in findings), "what is wrong has a hint"
    return {finding.subject: finding for finding in findings}


def levels(places: Places, *subjects: str) -> list[str]:
    """Return the levels of some subjects."""
    findings = found(places)
    return [findings[subject].level for subject in subjects]


def test_a_new_installation_is_in_order(places: Places) -> None:
    """Before the first run there is nothing wrong, and nothing is made by looking."""
    findings = found(places)

    assert not [finding for finding in findings.values() if finding.level == "problem"]
    assert findings["store"].message == "runs.sqlite3, made by the first run"
    assert findings["data folder"].message.endswith("made by the first run")
    assert findings["flows"].message == "1 in order"
    assert findings["python"].message.endswith(sys.executable)
    assert findings["autostart"].message == "disabled"


def test_a_used_installation_is_described(places: Places) -> None:
    """Runs are counted, also while a runtime has the store open, which goes on undisturbed."""
    with Runtime(places.flows, data=places.data) as runtime:
        runtime.run("hello").result(timeout_s=20)
        during = examine(lambda: places)
        runtime.run("hello").result(timeout_s=20)
    findings = found(places)

    assert [each.message for each in during if each.subject == "processes"] == ["1 live"]
    assert ["1 run," in each.message for each in during if each.subject == "store"] == [True]
    assert findings["store"].message.startswith("sqlite, schema 2, 2 runs, ")
    assert findings["processes"].message == "none live"


def test_what_the_store_keeps_is_said(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are those of the environment, or the usual ones; one that is not understood is a problem."""
    usual = found(places)["keeps"].message
    for limit in ("RUNS", "DAYS", "BYTES"):
        monkeypatch.setenv(f"ATOMITON_KEEP_{limit}", "unlimited")
    unlimited = found(places)["keeps"].message
    monkeypatch.setenv("ATOMITON_KEEP_BYTES", "much")
    wrong = found(places)["keeps"]

    assert usual == "1000 runs of each flow, 90 days, 1.0 GiB; ATOMITON_KEEP_... changes it"
    assert unlimited == "all runs, of any age, any size; ATOMITON_KEEP_... changes it"
    assert (wrong.level, wrong.message) == ("problem", "ATOMITON_KEEP_BYTES is 'much' (STORE-017)")


def test_flows_and_types_that_are_broken_are_problems(places: Places) -> None:
    """Each broken file is named with its place; of many, the rest is counted."""
    (places.flows / "nodes").mkdir()
    (places.flows / "broken.toml").write_text(BROKEN, encoding="utf-8")
    for number in range(7):
        (places.flows / "nodes" / f"type{number}.py").write_text("def", encoding="utf-8")
    findings = found(places)

    assert findings["flows"].message == "1 in order, 1 broken"
    assert findings["flow"].message.startswith("broken.toml:2:8: there is no node type")
    assert findings["flow"].message.endswith("more)")
    assert findings["node type"].message.startswith("nodes/type4.py:1:4: it is not valid Python")
    assert (findings["node types"].level, findings["node types"].message) == ("problem", "2 more are broken")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def test_folders_that_are_none_are_problems(tmp_path: Path) -> None:
    """A file or an endless link in the place of a folder is named; a missing flows folder is one to be made."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    make_loop(tmp_path / "loop")
    for name, flows, data in [("file", "problem", "problem"), ("loop", "problem", "problem")]:
        path = tmp_path / name
        assert levels(Places(flows=path, data=path / "below"), "flows folder", "data folder") == [flows, data]
    missing = tmp_path / "missing"
    assert levels(Places(flows=missing, data=missing), "flows folder", "data folder") == ["warning", "ok"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the system denies nothing to root")
def test_folders_without_a_right_are_problems(places: Places) -> None:
    """What may not be read or written is said, and the rest as well."""
    places.data.mkdir(mode=0o500)
    places.flows.chmod(0o000)
    try:
        assert levels(places, "flows folder", "data folder") == ["problem", "problem"]
    finally:
        places.flows.chmod(0o755)
        places.data.chmod(0o700)


def test_a_flows_folder_open_to_others_is_a_problem(places: Places) -> None:
    """Others who may write flows run programs with this user's rights."""
    places.flows.chmod(0o777)

    assert levels(places, "flows folder") == ["problem"]


@pytest.mark.parametrize(
    ("free_bytes", "level"), [(10, "problem"), (500 * 1024**2, "warning"), (5 * 1024**3, "ok")]
)
def test_little_room_is_said(
    free_bytes: int, level: str, monkeypatch: pytest.MonkeyPatch, places: Places
) -> None:
    """A disk that is nearly full is a warning, and a problem before runs fail."""
    usage = type("Usage", (), {"free": free_bytes})
    monkeypatch.setattr(places_checks.shutil, "disk_usage", lambda _path: usage)

    assert levels(places, "disk") == [level]


def test_no_room_for_a_file_is_said(monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    """A disk with bytes and without inodes takes no file."""
    disk = type(
        "Disk",
        (),
        {
            "f_files": 10,
            "f_favail": 0,
            "f_bavail": 2**30,
            "f_blocks": 2**31,
            "f_bfree": 2**30,
            "f_frsize": 4096,
        },
    )
    monkeypatch.setattr(places_checks.os, "statvfs", lambda _path: disk)

    assert levels(places, "disk") == ["problem"]


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 9, b"x"])
def test_a_damaged_store_is_a_problem_and_left_alone(places: Places, content: bytes) -> None:
    """A store that cannot be read is told with its code."""
    places.data.mkdir()
    (places.data / "runs.sqlite3").write_bytes(content)
    finding = found(places)["store"]

    assert (finding.level, "STORE-005" in finding.message) == ("problem", True)


def test_a_newer_store_is_a_problem(places: Places) -> None:
    """A store of a later version is said to be so."""
    places.data.mkdir()
    engine = create_sqlite_engine(places.data / "runs.sqlite3")
    engine.open()
    engine.append([queued("R1")])
    engine.close()
    connection = sqlite3.connect(places.data / "runs.sqlite3")
    connection.execute("PRAGMA user_version = 77")
    connection.close()

    assert "STORE-004" in found(places)["store"].message


def test_the_log_of_faults_is_named(places: Places) -> None:
    """That atomiton itself failed once is a warning as long as the file is there."""
    (places.data / "logs").mkdir(parents=True)
    (places.data / "logs" / "faults.log").write_text("oh", encoding="utf-8")

    assert found(places)["faults"].level == "warning"


def test_folders_that_cannot_be_found_are_one_problem() -> None:
    """Without a home the folders are unknown; what does not need them is looked at all the same."""

    def fail() -> Places:
        raise UsageError("RUN-015", "your home folder cannot be found", hint="set HOME")

    findings = examine(fail)

    assert [(each.message, each.hint) for each in findings if each.area == "places"] == [
        ("your home folder cannot be found (RUN-015)", "set HOME")
    ]
    assert {"system", "desktop", "limits"} <= {each.area for each in findings}


def test_a_check_that_fails_hides_no_other(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a check meets is a problem of its area."""

    def fail(_places: object) -> Iterator[Finding]:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("atomiton_runtime.doctor.examination._OF_PLACES", (("store", fail),))
    findings = {each.subject: each for each in examine(lambda: places)}

    assert (findings["store"].level, findings["autostart"].level) == ("problem", "ok")
    assert "nobody thought of this" in findings["store"].message


def test_locks_tell_who_lives(places: Places) -> None:
    """A lock that is held is a live process; one that is not was left by a dead one, and stays."""
    folder = places.data / "processes"
    folder.mkdir(parents=True)
    (folder / "dead.lock").touch()
    (folder / "other.door").touch()
    with FileLock(folder / "live.lock"):
        there = processes_of(places.data)
    assert (there.live, there.dead) == (("live",), ("dead",))
    assert found(places)["processes"].message == "none live, 2 died without cleaning up"
    assert not is_held(folder / "nowhere.lock")
    assert processes_of(places.data / "nowhere").live == ()


def test_an_owner_that_runs_is_said(places: Places) -> None:
    """The lock says that there is one; who it is, once it has said so."""
    places.data.mkdir()
    with FileLock(places.data / "owner.lock"):
        said = [each.message for each in examine(lambda: places) if each.subject == "owner"]
    assert said == ["a process that starts or ends just now: it runs flows when they are saved"]


@pytest.mark.parametrize(("shell", "level"), [("", "ok"), ("/bin/sh", "ok"), ("/no/such/shell", "warning")])
def test_the_shell_is_looked_at(shell: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SHELL that is not there is a warning: scripts are executed by another one."""
    monkeypatch.setenv("SHELL", shell)
    (finding,) = (each for each in system.programs() if each.subject == "shell")

    assert finding.level == level


def test_programs_that_are_missing_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty PATH there is nothing that could open a file."""
    monkeypatch.setenv("PATH", "")
    findings = {each.subject: each for each in system.programs()}

    assert findings["interpreters"].message == "in PATH: none"
    assert findings[("open" if sys.platform == "darwin" else "xdg-open")].level == "warning"


@pytest.mark.skipif(not Path("/proc/sys/fs/inotify").is_dir(), reason="the limits of Linux")
def test_small_limits_of_the_system_are_warnings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Few watches, instances that are nearly used up, and few open files are said with what to do."""
    import resource

    (tmp_path / "max_user_watches").write_text("100\n", encoding="ascii")
    (tmp_path / "max_user_instances").write_text("0\n", encoding="ascii")
    monkeypatch.setattr(system, "_INOTIFY", tmp_path)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        few = {each.subject: each.level for each in system.limits()}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    monkeypatch.undo()
    enough = {each.subject: each.level for each in system.limits()}

    assert set(few.values()) == {"warning"}
    assert enough["open files"] == "ok"


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (5 * 1024**2, "5.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (2 * 1024**4, "2.0 TiB"),
    ],
)
def test_sizes_are_said_as_people_say_them(size_bytes: int, words: str) -> None:
    """A size has the unit in which it is a small number."""
    assert words == size_words(size_bytes)


def test_a_program_that_would_start_at_login_and_is_gone_is_said(
    places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An entry of the desktop that names a missing program is a warning; one that is whole says where it is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for program, level in [(sys.executable, "ok"), ("/no/such/program", "warning")]:
        entry = tmp_path / "config" / "autostart" / "atomiton-runtime.desktop"
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(desktop_entry([program], icon=Path("icon.png")), encoding="utf-8")
        assert levels(places, "autostart") == [level]


def test_a_runtime_that_cannot_start_is_a_problem(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where flows cannot be loaded, that is said, and node types are counted all the same."""

    def fail(_runtime: Runtime) -> Runtime:
        raise RuntimeUnusable("RUN-011", "no thread is free", hint="end other programs")

    monkeypatch.setattr(Runtime, "start", fail)
    findings = found(places)

    assert (findings["flows"].level, findings["flows"].message) == ("problem", "no thread is free (RUN-011)")
    assert findings["node types"].level == "ok"
