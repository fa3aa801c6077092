"""Finds node types by name: the built-in ones, those beside the flows, and those of installed packages."""

import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.catalogue import Complaint, ParameterInfo
from atomiton_runtime.nodes import parameters as checked
from atomiton_runtime.nodes.base import NodeType

if TYPE_CHECKING:
    from atomiton_runtime.nodes.plugins import FileState

BUILT_IN: Mapping[str, str] = {
    "edit-fields": "edit_fields:EditFields",
    "file-system": "file_system:FileSystem",
    "shell-command": "shell_command:ShellCommand",
    "transform": "transform:Transform",
}
"""Type name -> module and class within this folder; imported when a flow first uses it."""

FOLDER_NAME = "nodes"
"""The folder beside the flows that may hold node types, one a file."""


class CataloguedType:
    """A node type with everything that is derived from its declaration once."""

    def __init__(self, node_type: NodeType, source: str) -> None:
        self.node_type = node_type
        self.source = source
        """`built-in`, the path of its file, or its entry point."""
        self.name: str = node_type.name
        self.ports: tuple[str, ...] = tuple(port.name for port in node_type.ports)
        self.has_body: bool = node_type.has_body
        self.parameters: Mapping[str, ParameterInfo] = checked.parameter_infos(node_type.Parameters)

    def check(self, parameters: Mapping[str, object]) -> Sequence[Complaint]:
        """Return everything that is wrong with `parameters` as written; see `catalogue.NodeTypeInfo`."""
        return checked.check(self.node_type, parameters)

    def prepare(self, rendered: Mapping[str, object]) -> msgspec.Struct:
        """Return `rendered` (no templates left) as what `node_type.execute` takes.

        Raises:
            NodeError: a value does not fit (PARAM-0xx).
        """
        return checked.prepare(self.node_type, rendered)


def built_in_types() -> tuple[CataloguedType, ...]:
    """Return the node types that come with the package, sorted by name: what its documentation is about."""
    catalogue = NodeCatalogue()
    found = (catalogue.find(name) for name in sorted(BUILT_IN))
    return tuple(each for each in found if each is not None)


class NodeCatalogue:
    """All node types that flows of one folder may use. Usable from every thread.

    Built-in types cannot be replaced; a type beside the flows comes before an installed one of the same name.
    A file beside the flows is read again when it has changed; while its new version is broken, the last good
    one stays in use. What is wrong with plug-ins is in `problems`, and disturbs nothing else.
    """

    def __init__(self, flows: str | Path | None = None) -> None:
        self._folder = Path(flows).expanduser().absolute() / FOLDER_NAME if flows is not None else None
        self._lock = threading.RLock()
        self._built_in: dict[str, CataloguedType] = {}
        self._beside: dict[str, CataloguedType] = {}
        self._installed: dict[str, CataloguedType] = {}
        self._file_states: dict[Path, FileState] = {}
        self._file_names: dict[Path, str] = {}
        self._problems: dict[str, ErrorInfo] = {}
        self._packages_scanned = False

    @property
    def problems(self) -> tuple[ErrorInfo, ...]:
        """What is wrong with plug-ins looked at so far, in the order of their files and entry points."""
        with self._lock:
            return tuple(self._problems[source] for source in sorted(self._problems))

    def find(self, name: str) -> CataloguedType | None:
        """Return the node type of this name, or None."""
        found = self._built_in.get(name)
        if found is not None:
            return found
        with self._lock:
            if name in BUILT_IN:
                return self._load_built_in(name)
            self._read_folder()
            if name not in self._beside:
                self._scan_packages()
            return self._beside.get(name) or self._installed.get(name)

    def names(self) -> Sequence[str]:
        """Return all names, sorted."""
        with self._lock:
            self._read_folder()
            self._scan_packages()
            return sorted({*BUILT_IN, *self._beside, *self._installed})

    def types(self) -> tuple[CataloguedType, ...]:
        """Return all node types, sorted by name."""
        found = (self.find(name) for name in self.names())
        return tuple(each for each in found if each is not None)

    def _load_built_in(self, name: str) -> CataloguedType:
        module, _, class_name = BUILT_IN[name].partition(":")
        declared: type[NodeType] = getattr(import_module(f"{__package__}.{module}"), class_name)
        return self._built_in.setdefault(name, CataloguedType(declared(), "built-in"))

    def _read_folder(self) -> None:
        if self._folder is None:
            return
        from atomiton_runtime.nodes.plugins import plugin_files

        states = plugin_files(self._folder)
        if states == self._file_states:
            return
        for path in self._file_states.keys() - states.keys():
            self._forget(path)
        for path, state in states.items():
            if self._file_states.get(path) != state:
                self._read_file(path)
        self._file_states = states

    def _forget(self, path: Path) -> None:
        self._problems.pop(str(path), None)
        self._beside.pop(self._file_names.pop(path, ""), None)

    def _read_file(self, path: Path) -> None:
        from atomiton_runtime.nodes.plugins import PluginBroken, load_file

        self._problems.pop(str(path), None)
        try:
            declared = load_file(path)
            catalogued = CataloguedType(declared(), str(path))
        except (PluginBroken, Exception) as error:  # noqa: BLE001  # a constructor of a stranger can raise anything
            self._report(str(path), "NODE-001", f"the node type in {path} cannot be used: {error}")
            return
        others = {name for other, name in self._file_names.items() if other != path}
        if declared.name in BUILT_IN or declared.name in others:
            self._report(str(path), "NODE-002", f"{path}: there is already a node type `{declared.name}`")
            return
        self._beside.pop(self._file_names.get(path, ""), None)
        self._file_names[path] = declared.name
        self._beside[declared.name] = catalogued

    def _scan_packages(self) -> None:
        if self._packages_scanned:
            return
        from atomiton_runtime.nodes.plugins import PluginBroken, entry_points, load_entry_point

        self._packages_scanned = True
        for name, point in entry_points().items():
            source = f"entry point {name} = {point.value}"
            if name in BUILT_IN:
                self._report(source, "NODE-002", f"{source}: there is already a node type `{name}`")
                continue
            try:
                self._installed[name] = CataloguedType(load_entry_point(point)(), source)
            except (PluginBroken, Exception) as error:  # noqa: BLE001  # as above
                self._report(source, "NODE-001", f"the node type of {source} cannot be used: {error}")

    def _report(self, source: str, code: str, message: str) -> None:
        self._problems[source] = ErrorInfo(code, message, hint="`atomiton nodes` lists what can be used")
