"""Works on images in the process of the test, but says and hears all that a process of its own would."""

import contextlib
from collections.abc import Generator, Iterator

import msgspec

from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.nodes.image_making import Maker
from atomiton_runtime.nodes.image_messages import (
    Answer,
    Begin,
    Finish,
    Request,
    decoded_request,
    encoded_request,
    refusal,
)


class StudiosHere:
    """Stands for `image_workers.Studios`."""

    @contextlib.contextmanager
    def lent(self, begin: Begin, cancel: CancelToken) -> Generator["StudioHere"]:
        """Lend a studio that never breaks."""
        del cancel
        studio = StudioHere()
        answer = studio.ask(begin)
        if answer.refused is not None:
            raise refusal(answer.refused)
        yield studio
        studio.ask(Finish())

    def close(self) -> None:
        """Nothing is open."""


class StudioHere:
    """Stands for a process."""

    def __init__(self) -> None:
        self._maker = Maker()
        self._data = b""

    def ask(self, request: Request) -> Answer:
        """Return the answer, after both have been written and read."""
        answer, self._data = self._maker.answer(decoded_request(encoded_request(request)))
        return msgspec.json.decode(msgspec.json.encode(answer), type=Answer)

    def data(self) -> Iterator[bytes]:
        """Yield the content in three pieces."""
        third = len(self._data) // 3
        yield from (self._data[:third], self._data[third : 2 * third], self._data[2 * third :])
