"""Images are worked on in a process: one that a cancel ends, whatever it does, and that may break without harm."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image as Pillow

from atomiton_runtime import Runtime
from atomiton_runtime.flow.expressions import Scope
from atomiton_runtime.nodes import image_workers
from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeContext, NodeError
from atomiton_runtime.nodes.image import Image
from atomiton_runtime.nodes.image_parameters import ImageParameters
from atomiton_runtime.nodes.turns import Turns

DEADLINE_S = 40.0
HUGE: dict[str, Any] = {"operation": "resize", "path": "photo.png", "width": 8900, "output": "out/huge.avif"}
"""79 million pixels in a format whose encoder takes a minute for them, in one call."""
SMALL: dict[str, Any] = {"operation": "resize", "path": "photo.png", "width": 5, "output": "out/small.png"}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Give a folder with an image."""
    Pillow.effect_noise((100, 100), 80).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path


@pytest.fixture
def image() -> Iterator[Image]:
    """Give the node type; in the end none of its processes is left."""
    made = Image()
    yield made
    made.close()


class Attempt(threading.Thread):
    """Executes a node; how it ended, and which of its files and processes were there then."""

    def __init__(self, image: Image, folder: Path, **written: Any) -> None:
        super().__init__()
        self.token = CancelToken()
        self.outputs: dict[str, Any] = {}
        self.error: Exception | None = None
        self.alive: list[int] = []
        self.files: list[str] = []
        self.said: list[str] = []
        self._image, self._folder, self._written = image, folder, written
        self.start()

    def run(self) -> None:
        """Execute."""
        context = NodeContext(
            input=None, scope=Scope({}), folder=self._folder, cancel=self.token, log=self.said.append
        )
        try:
            self.outputs = self._image.execute(ImageParameters(**self._written), context)
        except (NodeError, NodeCancelledError) as error:
            self.error = error
        self.alive = workers()
        self.files = sorted(each.name for each in self._folder.rglob("*") if each.is_file())

    def ended(self) -> "Attempt":
        """Wait for the end."""
        self.join(DEADLINE_S)
        assert not self.is_alive()
        return self


def workers() -> list[int]:
    """Return the processes that work on images."""
    found: list[int] = []
    for process in psutil.Process().children(recursive=True):
        try:
            line = process.cmdline()
            if "image_process" in str(line) and "supervisor.py" not in str(line):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def busy_worker() -> int:
    """Wait until a process is deep in its work; return it."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for pid in workers():
            if psutil.Process(pid).cpu_times().user > 1.0:
                return pid
        threading.Event().wait(0.02)
    raise AssertionError("no process has begun to work")


@pytest.mark.parametrize("stopped", [False, True])
def test_a_cancel_in_the_middle_of_one_long_call_leaves_nothing(
    photo: Path, image: Image, stopped: bool
) -> None:
    """The call does not come to its end, no process and no part of a file is left; not even if it is stopped."""
    attempt = Attempt(image, photo, **HUGE)
    pid = busy_worker()
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    attempt.token.cancel()

    assert isinstance(attempt.ended().error, NodeCancelledError)
    assert ([], ["photo.png"]) == (attempt.alive, attempt.files)


def test_a_timeout_ends_the_call_as_well(photo: Path) -> None:
    """The run fails when the time of its node is over, and the runtime goes on."""
    (photo / "huge.toml").write_text(
        '[nodes.a]\ntype = "image"\noperation = "resize"\npath = "photo.png"\nwidth = 8900\n'
        'output = "out/huge.avif"\ntimeout = "1s"\n'
    )
    with Runtime(photo, "memory:", data=photo / "data") as runtime:
        document = runtime.run("huge").result(DEADLINE_S)
        left = workers()

    assert document.nodes["a"].error is not None
    assert ("NODE-010", []) == (document.nodes["a"].error.code, left)
    assert not (photo / "out").exists()


def test_a_process_that_breaks_costs_its_image_only(photo: Path, image: Image) -> None:
    """Whatever a decoder dies of is a failure with the image's name; what comes next is worked on."""
    attempt = Attempt(image, photo, **HUGE)
    os.kill(busy_worker(), signal.SIGKILL)
    error = attempt.ended().error
    after = Attempt(image, photo, **SMALL).ended()

    assert isinstance(error, NodeError)
    assert error.code == "IMAGE-010"
    assert error.message == f"`path`, {photo}/photo.png: the process that worked on it was ended by SIGKILL"
    assert (5, ["photo.png"], ["photo.png", "small.png"]) == (
        after.outputs["width"],
        attempt.files,
        after.files,
    )


def test_a_process_is_used_again_unless_it_died_meanwhile(photo: Path, image: Image) -> None:
    """One process answers many attempts; that it was killed while it was idle is noticed by nobody."""
    first = Attempt(image, photo, **SMALL).ended().alive
    second = Attempt(image, photo, **SMALL).ended().alive
    os.kill(second[0], signal.SIGKILL)
    third = Attempt(image, photo, **SMALL).ended()

    assert (1, first, 5) == (len(first), second, third.outputs["width"])
    assert first != third.alive


def test_a_file_that_cannot_be_written_whole_leaves_none(
    photo: Path, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full in the middle, or a process that dies there, leaves nothing half-done."""
    wide = {**SMALL, "width": 2000, "output": "out/wide.bmp"}
    data = image_workers._Process.data

    def full(process: Any) -> Iterator[bytes]:
        yield next(data(process))
        raise OSError(28, "No space left on device")

    def killed(process: Any) -> Iterator[bytes]:
        pieces = data(process)
        yield next(pieces)
        os.kill(workers()[0], signal.SIGKILL)
        yield from pieces

    for broken, words in ((full, "FILE-0"), (killed, "IMAGE-010")):
        monkeypatch.setattr(image_workers._Process, "data", broken)
        attempt = Attempt(image, photo, **wide).ended()
        assert isinstance(attempt.error, NodeError)
        assert (True, ["photo.png"]) == (attempt.error.code.startswith(words), attempt.files)
        assert "`path`" in attempt.error.message
    monkeypatch.undo()
    assert Attempt(image, photo, **wide).ended().outputs["height"] == 2000


def test_what_is_refused_leaves_the_process_as_it_was(photo: Path, image: Image) -> None:
    """Refusals come with their image, what is said comes to the log, and the same process goes on."""
    (photo / "text.png").write_text("buy milk")
    Pillow.new("RGB", (4, 4)).save(
        photo / "two.gif", save_all=True, append_images=[Pillow.new("RGB", (4, 4), "red")]
    )
    no_image = Attempt(image, photo, operation="info", paths=["photo.png", "text.png"]).ended()
    no_layer = Attempt(
        image, photo, operation="overlay", paths=["photo.png", "text.png"], output="out/a.png"
    ).ended()
    frames = Attempt(image, photo, operation="convert", path="two.gif", output="out/one.bmp").ended()

    assert isinstance(no_image.error, NodeError)
    assert isinstance(no_layer.error, NodeError)
    assert ("IMAGE-001", "IMAGE-001") == (no_image.error.code, no_layer.error.code)
    assert no_image.error.message.startswith("`paths[1]`: ")
    assert ["2 frames; the first is used"] == [each.partition(" has ")[2] for each in frames.said]
    assert no_image.alive == no_layer.alive == frames.alive


def test_no_process_to_be_had_is_a_failure(
    photo: Path, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none can be started, the reason is told."""

    def refuse() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    for patch, words in (
        (("sys.executable", "/nowhere/python"), "did not start: No such file"),
        (("os.pipe", refuse), "did not start: Too many open files"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(*patch)
            attempt = Attempt(image, photo, **SMALL).ended()
        assert isinstance(attempt.error, NodeError)
        assert ("IMAGE-010", True) == (attempt.error.code, words in attempt.error.message)


def test_who_waits_for_a_turn_can_be_cancelled(
    photo: Path, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More attempts than there are turns wait without a process."""
    monkeypatch.setattr(image._own_studios(), "_turns", Turns(1))
    working = Attempt(image, photo, **HUGE)
    pid = busy_worker()
    waiting = Attempt(image, photo, **SMALL)
    waiting.token.cancel()

    assert isinstance(waiting.ended().error, NodeCancelledError)
    assert waiting.alive == [pid]
    working.token.cancel()
    working.ended()
