"""Reads the written messages that every side is tested against."""

import json
import shutil
from pathlib import Path
from typing import cast

import msgspec

from atomiton_runtime.requests import Request, Response, decode_request, decode_response
from atomiton_runtime.run.events import RunEvent, decode_event
from atomiton_runtime.run.notices import Notice

FOLDER = Path(__file__).parent / "messages"
ANY = {
    "run_id": "a run",
    "process": "a process",
    "at": "a moment",
    "started_at": "a moment",
    "duration_s": "some seconds",
    "flow_hash": "a hash",
    "hash": "a hash",
    "written": "a hash",
    "flow_path": "a path",
    "path": "a path",
    "message": "some words",
    "hint": "some words",
    "source": "a source",
    "$file": "a path",
}
"""What differs from run to run: key -> what stands for it when two messages are compared by their shape."""


def raw(name: str) -> list[dict[str, object]]:
    """Return the messages of a file, as JSON."""
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def lines(name: str) -> list[bytes]:
    """Return each message of a file as it would travel."""
    return [msgspec.json.encode(message) for message in raw(name)]


def requests() -> list[Request]:
    return [decode_request(line) for line in lines("requests")]


def responses() -> list[Response]:
    return [decode_response(line) for line in lines("responses")]


def events(name: str = "events-of-a-run") -> list[RunEvent]:
    return [decode_event(line) for line in lines(name)]


def notices() -> list[Notice]:
    return [msgspec.json.decode(line, type=Notice) for line in lines("notices")]


def shape(message: object) -> object:
    """Return a message as JSON in which whatever differs from run to run is replaced by its kind."""
    return _shape(msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(message))))


def _shape(value: object) -> object:
    if isinstance(value, list):
        return [_shape(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {key: ANY[key] if key in ANY and each is not None else _shape(each) for key, each in items}
    return value


def install_flows(folder: Path) -> Path:
    """Put the flows that the messages speak of into a folder."""
    folder.mkdir(exist_ok=True)
    for flow in FOLDER.glob("*.toml"):
        shutil.copy(flow, folder)
    return folder
