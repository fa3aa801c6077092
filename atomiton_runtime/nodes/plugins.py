"""Loads node types that others wrote: from `nodes/*.py` beside the flows and from installed packages."""

import hashlib
import os
import stat
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.nodes.base import NodeType
from atomiton_runtime.nodes.declaration import declaration_problems
from atomiton_runtime.nodes.plugin_faults import (
    Fault,
    PluginBroken,
    SourcePlaces,
    file_fault,
    last_file,
    raised_fault,
    text_fault,
    words,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "atomiton.nodes"
"""The entry-point group of installed packages."""
FILE_LIMIT_BYTES = 1024 * 1024
_HOW = "docs/custom-nodes.md shows how a node type is written"
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class FileState(msgspec.Struct, frozen=True):
    """What tells one version of a file from another without reading it."""

    modified_ns: int
    changed_ns: int
    size_bytes: int
    inode: int


def plugin_files(folder: Path) -> Mapping[Path, FileState | None]:
    """Return what in `folder` may hold a node type, in the order of the names; None: it cannot be looked at.

    Raises:
        OSError: the folder is there but cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  # names are all it needs
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {folder / name: _state(folder / name) for name in names if is_plugin_file(name)}


def is_plugin_file(name: str) -> bool:
    """Return whether a file of this name, in the folder beside the flows, is taken for a node type."""
    return name.endswith(".py") and not name.startswith(("_", "."))


def _state(path: Path) -> FileState | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return FileState(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def load_file(path: Path, source: bytes) -> NodeType:
    """Return an instance of the one node type that the file defines.

    The source is executed afresh, and no bytecode is written. What it does when it is imported (a connection, an
    endless loop) is done in the caller's thread.

    Raises:
        PluginBroken: it cannot be executed, or does not define exactly one complete node type.
    """
    # msgspec looks annotations up in sys.modules, so the module must be there while its classes live.
    unique = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    module = ModuleType(f"atomiton_flow_nodes_{unique}.{path.stem}")
    module.__file__ = str(path)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        return _loaded(module, path, source)
    except PluginBroken:
        sys.modules.pop(module.__name__)
        if before is not None:
            sys.modules[module.__name__] = before
        raise


def read_plugin(path: Path) -> bytes:
    """Return the content of a plug-in's file, without ever waiting for it.

    Raises:
        PluginBroken: it is no file, too large, or cannot be read.
    """
    try:
        handle = os.open(path, _OPEN_FLAGS)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise file_fault("it is no file", hint="a node type is one Python file in this folder")
            source = file.read(FILE_LIMIT_BYTES + 1)
    except IsADirectoryError as error:
        hint = "a node type is one Python file; for several, make a package: docs/custom-nodes.md"
        raise file_fault("it is a folder", hint=hint) from error
    except OSError as error:
        hint = "allow yourself to read it" if isinstance(error, PermissionError) else "repair or remove it"
        raise file_fault(f"it cannot be read: {error.strerror}", hint=hint) from error
    if len(source) > FILE_LIMIT_BYTES:
        raise file_fault("it is larger than 1 MiB", hint="put data into files of their own, beside the class")
    return source


def _loaded(module: ModuleType, path: Path, source: bytes) -> NodeType:
    if fault := text_fault(source):
        raise PluginBroken(fault)
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # that is what a plug-in is
        return _accepted(_only_type(module, source), source)()
    except PluginBroken:
        raise
    except BaseException as error:
        raise_if_interrupted(error)
        raise PluginBroken(raised_fault(error, str(path), source)) from error


def raise_if_interrupted(error: BaseException) -> None:
    """Let Ctrl-C through while a plug-in is loaded; everything else that it raises is the plug-in's fault."""
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        raise error


def entry_points() -> Sequence["EntryPoint"]:
    """Return the entry points of installed packages; slow, because all packages are looked at."""
    from importlib.metadata import entry_points as find

    return tuple(find(group=GROUP))


def load_entry_point(point: "EntryPoint") -> NodeType:
    """Return an instance of the node type that an entry point names.

    Raises:
        PluginBroken: it cannot be imported, or is no complete node type of the entry point's name.
    """
    try:
        loaded: object = point.load()
        if not isinstance(loaded, type) or not issubclass(loaded, NodeType):
            raise PluginBroken(Fault(message=f"{point.value} is not a subclass of NodeType", hint=_HOW))
        accepted = _accepted(loaded, b"")()
    except PluginBroken:
        raise
    except BaseException as error:
        raise_if_interrupted(error)
        raise PluginBroken(Fault(message=f"it cannot be imported: {words(error)}")) from error
    if accepted.name != point.name:
        hint = f'write `{accepted.name} = "{point.value}"`'
        raise PluginBroken(
            Fault(message=f"the entry point must have the name of its type, `{accepted.name}`", hint=hint)
        )
    return accepted


def entry_point_problems(point: "EntryPoint", broken: PluginBroken) -> tuple[Problem, ...]:
    """Return what is wrong with an entry point: where its package failed, else where it is declared."""
    place = last_file(broken.__cause__) if broken.__cause__ is not None else None
    source = f"{GROUP}: {point.name} = {point.value}"
    if place is not None and "importlib" not in place[0]:
        file, line = place
    else:
        file, line = _declared_in(point) or source, 1
    return tuple(
        Problem(
            code=fault.code,
            message=f"the node type of the package's entry point `{point.name} = {point.value}`: {fault.message}",
            file=file,
            line=line,
            column=1,
            hint=fault.hint or "repair or uninstall the package",
        )
        for fault in broken.faults
    )


def _declared_in(point: "EntryPoint") -> str | None:
    declared = (point.dist.files if point.dist is not None else None) or ()
    return next((str(file.locate()) for file in declared if file.name == "entry_points.txt"), None)


def _only_type(module: ModuleType, source: bytes) -> type[NodeType]:
    found = list(dict.fromkeys(_types_defined_in(module)))
    if len(found) == 1:
        return found[0]
    message = "it must define exactly one subclass of NodeType"
    if not found:
        raise PluginBroken(Fault(message=f"{message}; found: none", hint=_HOW))
    names = ", ".join(each.__name__ for each in found)
    hint = "give each a file of its own; a base class may stay if its name begins with an underscore"
    raise PluginBroken(
        SourcePlaces(source).class_fault(found[1].__name__, f"{message}; found: {names}", hint)
    )


def _types_defined_in(module: ModuleType) -> Iterator[type[NodeType]]:
    for value in tuple(vars(module).values()):
        if not isinstance(value, type) or not issubclass(value, NodeType):
            continue
        if value.__module__ == module.__name__ and not value.__name__.startswith("_"):
            yield value


def _accepted(declared: type[NodeType], source: bytes) -> type[NodeType]:
    problems = declaration_problems(declared)
    if problems:
        places = SourcePlaces(source)
        raise PluginBroken(*(places.declaration_fault(declared, problem) for problem in problems))
    return declared
