"""Knows the node types of the folder beside the flows, and reads its files again when they change."""

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.nodes.catalogued import CataloguedType
from atomiton_runtime.nodes.plugin_faults import PluginBroken, SourcePlaces, file_problems, short_path
from atomiton_runtime.nodes.plugins import FileState, load_file, plugin_files, read_plugin
from atomiton_runtime.trust import distrust


def problems_of_file(path: Path) -> tuple[Problem, ...]:
    """Return what is wrong with one file that is meant to hold a node type, wherever it is."""
    return _read(path, {})


def _read(path: Path, loaded: dict[Path, CataloguedType]) -> tuple[Problem, ...]:
    """Add the file's type to `loaded`, or return why that cannot be done."""
    source = b""
    try:
        source = read_plugin(path)
        refusal = distrust(path)
        if refusal is not None:
            return (_refused(path, refusal),)
        loaded[path] = CataloguedType(load_file(path, source), str(path), source)
    except PluginBroken as broken:
        return file_problems(broken.faults, path, source)
    return ()


def _refused(path: Path, refusal: ErrorInfo) -> Problem:
    return Problem(
        code=refusal.code, message=refusal.message, file=str(path), line=1, column=1, hint=refusal.hint
    )


class PluginFolder:
    """The node types of one folder. Used by one thread at a time.

    While a file is broken, the last good version of its type stays in use. Of two files with the same type, the
    first by name is taken.
    """

    def __init__(self, folder: Path, reserved: Collection[str]) -> None:
        """Use `folder`, which need not be there; its types may not have one of the names `reserved`."""
        self._folder = folder
        self._reserved = reserved
        self._states: Mapping[Path, FileState | None] = {}
        self._loaded: dict[Path, CataloguedType] = {}
        """Path -> the last good version."""
        self._broken: dict[Path, tuple[Problem, ...]] = {}
        self.types: Mapping[str, CataloguedType] = {}
        """By name; as of the last `refresh`, as are the others."""
        self.problems: tuple[Problem, ...] = ()
        """In the order of the files."""
        self.generation = 0
        """Grows with each change."""

    def refresh(self) -> None:
        """Read what has changed; costs a look at the folder when nothing has."""
        try:
            states = plugin_files(self._folder)
        except OSError as error:
            self._cannot_look(error)
            return
        if states == self._states and self._folder not in self._broken:
            return
        self._broken.pop(self._folder, None)
        for path in self._states.keys() - states.keys():
            self._loaded.pop(path, None)
            self._broken.pop(path, None)
        for path, state in states.items():
            if path not in self._states or self._states[path] != state:
                self._broken.pop(path, None)
                if problems := _read(path, self._loaded):
                    self._broken[path] = problems
        self._states = states
        self._name_types()

    def _cannot_look(self, error: OSError) -> None:
        if self._folder in self._broken:
            return
        message = f"the folder of node types cannot be read: {error.strerror}"
        problem = Problem(
            code="NODE-003",
            message=message,
            file=str(self._folder),
            line=1,
            column=1,
            hint="allow yourself to read it",
        )
        self._broken[self._folder] = (problem,)
        self._name_types()

    def _name_types(self) -> None:
        types: dict[str, CataloguedType] = {}
        twins: dict[Path, tuple[Problem, ...]] = {}
        for path in sorted(self._loaded):
            loaded = self._loaded[path]
            if loaded.name in self._reserved or loaded.name in types:
                owner = short_path(Path(types[loaded.name].source)) if loaded.name in types else "built in"
                twins[path] = self._twin(path, loaded, owner)
            else:
                types[loaded.name] = loaded
        self.types = types
        found = {**twins, **self._broken}
        self.problems = tuple(problem for path in sorted(found) for problem in found[path])
        self.generation += 1

    def _twin(self, path: Path, loaded: CataloguedType, owner: str) -> tuple[Problem, ...]:
        message = f"there is already a node type `{loaded.name}` ({owner})"
        source = b""
        with contextlib.suppress(PluginBroken):
            source = read_plugin(path)
        class_name = type(loaded.node_type).__name__
        fault = SourcePlaces(source).attribute_fault(class_name, "name", message, "give it another name")
        return file_problems([msgspec.structs.replace(fault, code="NODE-002")], path, source)
