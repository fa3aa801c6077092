"""Runs flows: TOML files that recompute on save. Importing this starts nothing and loads nothing it can spare."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atomiton_runtime.actors.event_bus import create_event_bus as create_event_bus
    from atomiton_runtime.running import Run as Run
    from atomiton_runtime.runtime import Runtime as Runtime
    from atomiton_runtime.storage.create import (
        create_filesystem_engine as create_filesystem_engine,
    )
    from atomiton_runtime.storage.create import create_memory_engine as create_memory_engine
    from atomiton_runtime.storage.create import create_sqlite_engine as create_sqlite_engine
    from atomiton_runtime.storage.create import create_storage as create_storage

_HOMES = {
    "Run": "running",
    "Runtime": "runtime",
    "create_event_bus": "actors.event_bus",
    "create_filesystem_engine": "storage.create",
    "create_memory_engine": "storage.create",
    "create_sqlite_engine": "storage.create",
    "create_storage": "storage.create",
}
"""Public name -> the module it lives in; imported when it is first asked for."""

__all__ = [
    "Run",
    "Runtime",
    "create_event_bus",
    "create_filesystem_engine",
    "create_memory_engine",
    "create_sqlite_engine",
    "create_storage",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
