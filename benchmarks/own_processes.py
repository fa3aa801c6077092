"""Measures what the processes for look-ups and images cost, beside the same work in the process that asks."""

import io
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from atomiton_runtime.flow.expressions import Scope
from atomiton_runtime.nodes.base import CancelToken, NodeContext
from atomiton_runtime.nodes.http.names import addresses
from atomiton_runtime.nodes.http.resolver import Resolver
from atomiton_runtime.nodes.image import Image
from atomiton_runtime.nodes.image_parameters import ImageParameters

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.doubles.studios import StudiosHere

IMAGES: dict[str, dict[str, Any]] = {
    "info, 64 x 64": {"operation": "info", "path": "small.png"},
    "thumbnail, 64 x 64": {"operation": "thumbnail", "path": "small.png", "width": 32, "output": "a.png"},
    "resize, 800 x 600": {"operation": "resize", "path": "middle.jpg", "width": 200, "output": "b.jpg"},
    "thumbnail, 12 megapixels": {
        "operation": "thumbnail",
        "path": "large.jpg",
        "width": 800,
        "output": "c.jpg",
    },
    "convert to bmp, 12 megapixels": {"operation": "convert", "path": "large.jpg", "output": "d.bmp"},
}
HUGE: dict[str, Any] = {"operation": "resize", "path": "small.png", "width": 8900, "output": "huge.avif"}


def once_ms(act: Callable[[], object]) -> float:
    """Return how long one call takes."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def median_ms(act: Callable[[], object], times: int) -> float:
    """Return the median of some calls."""
    return round(statistics.median(once_ms(act) for _ in range(times)), 2)


def look_ups() -> dict[str, float]:
    """Return figures for `localhost`, from /etc/hosts."""
    resolver = Resolver()

    def by_process() -> None:
        addresses("localhost", 80, CancelToken(), timeout_s=10, names=resolver)

    def by_thread() -> None:
        done = threading.Event()

        def ask() -> None:
            socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
            done.set()

        threading.Thread(target=ask).start()
        done.wait()

    figures = {
        "look-up: first, with the start": round(once_ms(by_process), 1),
        "look-up: process": median_ms(by_process, 500),
        "look-up: thread": median_ms(by_thread, 500),
    }
    resolver.close()
    return figures


def images(folder: Path) -> dict[str, float]:
    """Return figures for operations of all sizes, and for a cancel in the middle of one that takes a minute."""
    for name, size in (("small.png", (64, 64)), ("middle.jpg", (800, 600)), ("large.jpg", (4000, 3000))):
        Pillow.merge("RGB", [Pillow.effect_noise(size, 80) for _ in range(3)]).save(folder / name)
    here, image = Image(), Image()
    here._own_studios = StudiosHere  # type: ignore[method-assign,assignment]

    def executed(by: Image, written: dict[str, Any], token: CancelToken | None = None) -> None:
        context = NodeContext(input=None, scope=Scope({}), folder=folder, cancel=token or CancelToken())
        by.execute(ImageParameters(**written), context)

    figures = {
        "image: first, with the start": round(once_ms(lambda: executed(image, IMAGES["info, 64 x 64"])), 1)
    }
    for title, written in IMAGES.items():
        times = 200 if "64" in title else 20
        figures[f"{title}: process"] = median_ms(lambda written=written: executed(image, written), times)
        figures[f"{title}: here"] = median_ms(lambda written=written: executed(here, written), times)
    token, ended = CancelToken(), io.StringIO()

    def work() -> None:
        try:
            executed(image, HUGE, token)
        except Exception as error:  # noqa: BLE001  # a figure, whatever it was
            ended.write(type(error).__name__)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(3.0)  # deep in the encoder by then
    token_set = time.perf_counter()
    token.cancel()
    thread.join()
    figures[f"cancel in the middle of 79 megapixels ({ended.getvalue()})"] = round(
        (time.perf_counter() - token_set) * 1000, 1
    )
    image.close()
    return figures


def main() -> None:
    """Measure and print; in ms."""
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps({"cpus": os.cpu_count(), **look_ups(), **images(Path(name))}, indent=1))


if __name__ == "__main__":
    main()
