"""Works on images: a program of its own, because one call of an image library takes seconds and cannot be stopped.

It also keeps what a broken file does to a decoder away from the runtime. It answers the requests of its standard input
(`image_messages`) until that ends, and writes no file: half of one would be left when it is killed.
"""

import contextlib
import os
import sys

import msgspec

from atomiton_runtime.nodes.image_making import Maker
from atomiton_runtime.nodes.image_messages import decoded_request


def main() -> None:
    """Answer until nobody asks any more."""
    _limit()
    maker, encoder = Maker(), msgspec.json.Encoder()
    out = sys.stdout.buffer
    with contextlib.suppress(BrokenPipeError):  # Nobody wants the rest.
        for line in sys.stdin.buffer:
            answer, data = maker.answer(decoded_request(line))
            out.write(encoder.encode(answer) + b"\n")
            out.write(data)
            out.flush()
            del data  # It may be large, and the next request is a minute away.


def _limit() -> None:
    # What C libraries have to say of a broken file is for nobody.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
