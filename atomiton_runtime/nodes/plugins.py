"""Loads node types that others wrote: from `nodes/*.py` beside the flows and from installed packages."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from atomiton_runtime.nodes.base import NodeType
from atomiton_runtime.nodes.declaration import declaration_problems

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "atomiton.nodes"
"""The entry-point group of installed packages."""


class PluginBroken(Exception):
    """A plug-in cannot be used; the message says why, for whoever wrote it."""


class FileState(msgspec.Struct, frozen=True):
    """What tells one version of a file from another without reading it."""

    modified_ns: int
    size_bytes: int
    inode: int


def plugin_files(folder: Path) -> dict[Path, FileState]:
    """Return the Python files of `folder` that may hold a node type, in the order of their names."""
    try:
        found = sorted(folder.glob("[!_.]*.py"))
    except OSError:
        return {}
    return {path: state for path in found if (state := file_state(path))}


def file_state(path: Path) -> FileState | None:
    """Return the state of a file, or None when it cannot be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileState(status.st_mtime_ns, status.st_size, status.st_ino)


def load_file(path: Path) -> type[NodeType]:
    """Return the one node type that the file defines; the file is executed afresh, and no bytecode is written.

    Raises:
        PluginBroken: it cannot be executed, or does not define exactly one complete node type.
    """
    # msgspec looks annotations up in sys.modules, so the module must be there while its classes live.
    unique = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    module = ModuleType(f"atomiton_flow_nodes_{unique}.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # that is what a plug-in is
    except (Exception, SystemExit) as error:
        raise PluginBroken(f"it cannot be executed: {_blame(error)}") from error
    return _accepted(_only_type(module))


def entry_points() -> Mapping[str, "EntryPoint"]:
    """Return the entry points of installed packages by name; slow, because all packages are looked at."""
    from importlib.metadata import entry_points as find

    return {point.name: point for point in find(group=GROUP)}


def load_entry_point(point: "EntryPoint") -> type[NodeType]:
    """Return the node type that an entry point names.

    Raises:
        PluginBroken: it cannot be imported, or is no complete node type of the entry point's name.
    """
    try:
        loaded: object = point.load()
    except (Exception, SystemExit) as error:
        raise PluginBroken(f"it cannot be imported: {_blame(error)}") from error
    if not isinstance(loaded, type) or not issubclass(loaded, NodeType):
        raise PluginBroken(f"{point.value} is not a subclass of NodeType")
    accepted = _accepted(loaded)
    if accepted.name != point.name:
        raise PluginBroken(f"the entry point must have the name of its type, `{accepted.name}`")
    return accepted


def _only_type(module: ModuleType) -> type[NodeType]:
    found = list(_types_defined_in(module))
    if len(found) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        raise PluginBroken(f"it must define exactly one subclass of NodeType; found: {names}")
    return found[0]


def _types_defined_in(module: ModuleType) -> Iterator[type[NodeType]]:
    for value in tuple(vars(module).values()):
        if isinstance(value, type) and issubclass(value, NodeType) and value.__module__ == module.__name__:
            yield value


def _accepted(declared: type[NodeType]) -> type[NodeType]:
    problems = declaration_problems(declared)
    if problems:
        raise PluginBroken(f"its declaration is incomplete: {'; '.join(problems)}")
    return declared


def _blame(error: BaseException) -> str:
    trace = error.__traceback__
    line: int | None = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(".py"):
            line = trace.tb_lineno
        trace = trace.tb_next
    place = f" (line {line})" if line else ""
    return f"{type(error).__name__}: {error}{place}"
