"""The control door: processes that ask each other, and that die."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock

from atomiton_runtime.control import door as door_module
from atomiton_runtime.control.conversation import Unreached, converse, request
from atomiton_runtime.control.door import Answer, ControlDoor
from atomiton_runtime.control.presence import is_live, live_processes, processes_folder
from atomiton_runtime.errors import RuntimeUnusable
from atomiton_runtime.requests import (
    MESSAGE_LIMIT_BYTES,
    CancelAccepted,
    CancelRun,
    Refused,
    Request,
    Response,
    RunAccepted,
    RunFlow,
)
from atomiton_runtime.run import events as ev
from tests.doubles.journals import journal, node_started

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def process_with_door(data: Path, name: str = "other") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.doubles.control_process", str(data), name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def door_here(data: Path, name: str = "here") -> Iterator[ControlDoor]:
    def accept(asked: Request) -> Response:
        assert isinstance(asked, CancelRun)
        return CancelAccepted(run_id=asked.run_id)

    door = ControlDoor(processes_folder(data), name, accept)
    door.start()
    try:
        yield door
    finally:
        door.stop()


@contextlib.contextmanager
def door_that_serves(data: Path, *said: Response | list[ev.RunEvent]) -> Iterator[None]:
    """Open a door that answers each run with all of this."""

    def serve(asked: Request) -> Answer:
        if isinstance(asked, CancelRun):
            return CancelAccepted(run_id=asked.run_id)
        return iter(said)

    door = ControlDoor(processes_folder(data), "here", serve)
    door.start()
    try:
        yield
    finally:
        door.stop()


def send_raw(data: Path, name: str, line: bytes) -> bytes:
    """Send raw bytes through the door and return all that comes back."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(10)
        door.connect(str(processes_folder(data) / f"{name}.sock"))
        door.sendall(line)
        with contextlib.suppress(ConnectionError):
            return door.makefile("rb").read()
        return b""


def token(data: Path, name: str) -> bytes:
    return msgspec.json.decode((processes_folder(data) / f"{name}.door").read_bytes())["token"].encode()


def test_another_process_answers(tmp_path: Path) -> None:
    """A request reaches the other process and its response comes back."""
    with process_with_door(tmp_path):
        assert request(tmp_path, "other", CancelRun(run_id="01X")) == CancelAccepted(run_id="01X")
        assert request(tmp_path, "other", RunFlow(flow="hello")).flow == "hello"


def test_a_fault_in_the_other_process_is_an_answer(tmp_path: Path) -> None:
    """An exception of the runtime reaches the client as a refusal with its reason, and the door stays open."""
    with process_with_door(tmp_path):
        refusal = request(tmp_path, "other", CancelRun(run_id="broken"))
        assert isinstance(refusal, Refused)
        assert refusal.errors[0].code == "CLI-022"
        assert "a fault of the runtime" in refusal.errors[0].message
        assert isinstance(request(tmp_path, "other", CancelRun(run_id="01")), CancelAccepted)


def test_a_killed_process_is_dead_at_once(tmp_path: Path) -> None:
    """After `kill -9` the process is not among the living, what it left is removed, and a request says so."""
    with process_with_door(tmp_path) as process:
        assert live_processes(tmp_path) == {"other"}
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        with pytest.raises(RuntimeUnusable, match="does not answer") as raised:
            request(tmp_path, "other", CancelRun(run_id="01"))
        assert raised.value.code == "CLI-020"
        assert live_processes(tmp_path) == set()
        assert list(processes_folder(tmp_path).iterdir()) == []


def test_a_process_that_ends_leaves_nothing(tmp_path: Path) -> None:
    """A door that was stopped leaves no file."""
    with process_with_door(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
        assert list(processes_folder(tmp_path).iterdir()) == []


def test_a_stopped_process_costs_the_client_its_timeout_only(tmp_path: Path) -> None:
    """A process under SIGSTOP lives, but the client does not wait for it longer than it said."""
    with process_with_door(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(RuntimeUnusable):
            request(tmp_path, "other", CancelRun(run_id="01"), timeout_s=0.2)
        assert live_processes(tmp_path) == {"other"}


def test_nobody_there(tmp_path: Path) -> None:
    """Without a data folder nobody lives, and a request is refused by an error, not a wait."""
    assert live_processes(tmp_path / "absent") == set()
    with pytest.raises(RuntimeUnusable):
        request(tmp_path / "absent", "other", CancelRun(run_id="01"))


def test_only_the_owner_may_enter(tmp_path: Path) -> None:
    """The folder, the socket and the token are for the owner alone, whatever the umask is."""
    with door_here(tmp_path):
        folder = processes_folder(tmp_path)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "here.sock").stat().st_mode & 0o777 == 0o600
        assert (folder / "here.door").stat().st_mode & 0o777 == 0o600


def test_the_name_of_a_living_process_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second door of the same name does not open and does not harm the first."""
    monkeypatch.setattr(door_module, "_START_TIMEOUT_S", 0.05)
    with door_here(tmp_path):
        with pytest.raises(RuntimeUnusable, match="cannot be reached") as raised, door_here(tmp_path):
            pass
        assert raised.value.code == "CLI-023"
        assert live_processes(tmp_path) == {"here"}
        assert request(tmp_path, "here", CancelRun(run_id="01")) == CancelAccepted(run_id="01")


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"not json", b"CLI-021"),
        (b"[]", b"CLI-021"),
        (b'{"request": "explode"}', b"CLI-021"),
        (b'{"request": "cancel"}', b"CLI-021"),
        (b'{"request": "cancel", "run_id": "01"}', b'"cancelling"'),
        (b'{"request": "cancel", "run_id": "' + b"x" * MESSAGE_LIMIT_BYTES + b'"}', b""),
    ],
    ids=["no JSON", "no object", "unknown", "incomplete", "good", "too large"],
)
def test_messages(tmp_path: Path, message: bytes, answer: bytes) -> None:
    """A message that is not a request is refused with its reason; one that is too large is cut off."""
    with door_here(tmp_path):
        assert answer in send_raw(tmp_path, "here", token(tmp_path, "here") + b" " + message + b"\n")


@pytest.mark.parametrize("line", [b"\n", b"wrong {}\n", b'{"request": "cancel", "run_id": "01"}\n'])
def test_without_the_token_there_is_no_answer(tmp_path: Path, line: bytes) -> None:
    """Who does not know the token learns nothing."""
    with door_here(tmp_path):
        assert send_raw(tmp_path, "here", line) == b""


def test_a_request_that_is_too_large_is_not_even_sent(tmp_path: Path) -> None:
    """The client refuses a request over the limit by itself."""
    with door_here(tmp_path):
        large = RunFlow(flow="f", variables={"x": "x" * MESSAGE_LIMIT_BYTES})
        with pytest.raises(Unreached) as refused:
            request(tmp_path, "here", large)
    assert refused.value.code == "CLI-021"


def test_many_clients_at_once(tmp_path: Path) -> None:
    """Clients that ask at the same time each get their own answer."""
    answers: dict[int, Response] = {}

    def ask(number: int) -> None:
        answers[number] = request(tmp_path, "here", CancelRun(run_id=str(number)))

    with door_here(tmp_path):
        clients = [threading.Thread(target=ask, args=(number,)) for number in range(64)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(10)
    assert answers == {number: CancelAccepted(run_id=str(number)) for number in range(64)}


def test_silent_clients_neither_block_others_nor_the_stop(tmp_path: Path) -> None:
    """A client that connects and says nothing costs one of the conversations, and ends with the door."""
    with door_here(tmp_path), contextlib.ExitStack() as silent:
        for _ in range(5):
            client = silent.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(processes_folder(tmp_path) / "here.sock"))
        assert request(tmp_path, "here", CancelRun(run_id="01")) == CancelAccepted(run_id="01")
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("control")] == []


def test_a_long_path_gets_a_port_instead_of_a_socket(tmp_path: Path) -> None:
    """Where the path is too long for a Unix socket, the door is a port on 127.0.0.1 with the same token."""
    data = tmp_path / ("long-" * 40)
    with door_here(data):
        assert not (processes_folder(data) / "here.sock").exists()
        assert request(data, "here", CancelRun(run_id="01")) == CancelAccepted(run_id="01")
        assert live_processes(data) == {"here"}
    assert live_processes(data) == set()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A file where the folder should be is an error with a hint, and nothing is left open."""
    (tmp_path / "processes").write_text("")
    with pytest.raises(RuntimeUnusable) as raised, door_here(tmp_path):
        pass
    assert raised.value.code == "CLI-023"
    assert raised.value.hint is not None


def test_stop_twice(tmp_path: Path) -> None:
    """A second stop changes nothing, and a door that never opened may be stopped."""
    with door_here(tmp_path) as door:
        door.stop()
    ControlDoor(processes_folder(tmp_path), "never", lambda _: Refused(errors=())).stop()


def test_a_lock_that_outlives_its_process(tmp_path: Path) -> None:
    """A child in the middle of its start holds the lock of a killed process; its free number says that it is dead."""
    folder = processes_folder(tmp_path)
    folder.mkdir(parents=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(30)
    signs = {"dead": gone.pid, "alive": os.getpid(), "unknown": 0}
    for name, pid in signs.items():
        (folder / f"{name}.door").write_bytes(msgspec.json.encode({"token": "", "pid": pid}))
    (folder / "broken.door").write_bytes(b"{")
    names = (*signs, "broken")
    locks = [FileLock(folder / f"{name}.lock", thread_local=False) for name in names]
    for lock in locks:
        lock.acquire(timeout=0)
    try:
        assert live_processes(tmp_path) == {"alive", "unknown", "broken"}
        assert [is_live(tmp_path, name) for name in names] == [False, True, True, True]
        assert (folder / "dead.lock").exists(), "who holds the lock may still let go of it"
    finally:
        for lock in locks:
            lock.release()


ACCEPTED = RunAccepted(run_id="01", flow="hello")
EVENTS = journal("01")
FOLLOW = RunFlow(flow="hello", follow=True)


def test_a_run_is_followed_to_its_last_event(tmp_path: Path) -> None:
    """The events come after the response, as they come; what has nothing to say meanwhile is passed over."""
    served = door_that_serves(tmp_path, ACCEPTED, EVENTS[:1], [], EVENTS[1:])
    with served, converse(tmp_path, "here", FOLLOW) as conversation:
        assert conversation.response == ACCEPTED
        assert list(conversation.events()) == EVENTS


def test_a_process_that_hangs_up_ends_the_events(tmp_path: Path) -> None:
    """Also in the middle of one; the client has what was whole."""
    with door_that_serves(tmp_path, ACCEPTED, EVENTS[:2]), converse(tmp_path, "here", FOLLOW) as conversation:
        assert list(conversation.events()) == EVENTS[:2]


def test_many_followers_do_not_lock_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit a run is accepted and not told; the store tells it."""
    monkeypatch.setattr(door_module, "_FOLLOWERS_LIMIT", 0)
    with door_that_serves(tmp_path, ACCEPTED, EVENTS), converse(tmp_path, "here", FOLLOW) as conversation:
        assert conversation.response == ACCEPTED
        assert list(conversation.events()) == []


def test_a_client_that_does_not_read_costs_its_own_conversation_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent away when its patience is over, others are served meanwhile, and no more than a piece waits for it."""
    monkeypatch.setattr(door_module, "_PATIENCE_S", 0.2)
    pieces: list[int] = []
    ended = threading.Event()

    def serve(asked: Request) -> Answer:
        def flood() -> Iterator[Response | list[ev.RunEvent]]:
            try:
                yield ACCEPTED
                for number in range(100_000):
                    pieces.append(number)
                    yield [node_started("01", number)] * 100
            finally:
                ended.set()

        return CancelAccepted(run_id="01") if isinstance(asked, CancelRun) else flood()

    door = ControlDoor(processes_folder(tmp_path), "here", serve)
    door.start()
    try:
        with converse(tmp_path, "here", FOLLOW):
            assert request(tmp_path, "here", CancelRun(run_id="01")) == CancelAccepted(run_id="01")
            assert ended.wait(10)
    finally:
        door.stop()
    assert len(pieces) < 1000


def test_who_has_given_up_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that was told that nothing answers must not find its run executed later."""
    with process_with_door(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(RuntimeUnusable) as given_up:
            request(tmp_path, "other", RunFlow(flow=str(tmp_path / "served")), timeout_s=0.2)
        process.send_signal(signal.SIGCONT)
        assert request(tmp_path, "other", CancelRun(run_id="01")) == CancelAccepted(run_id="01")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
    assert not isinstance(given_up.value, Unreached)
    assert not (tmp_path / "served").exists()


def test_nobody_at_the_door_is_not_asked(tmp_path: Path) -> None:
    """Nothing was asked where there is no door, or nobody behind it; so it may be asked again."""
    with pytest.raises(Unreached):
        converse(tmp_path, "other", FOLLOW)
    with process_with_door(tmp_path) as process:
        process.kill()
        process.wait(10)
        with pytest.raises(Unreached):
            converse(tmp_path, "other", FOLLOW)
