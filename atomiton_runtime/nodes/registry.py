"""Finds node types by name: the built-in ones, those beside the flows, and those of installed packages."""

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.nodes.base import NodeType
from atomiton_runtime.nodes.catalogued import BUILT_IN_SOURCE, CataloguedType

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from atomiton_runtime.nodes.plugin_folder import PluginFolder

log = logging.getLogger(__name__)

BUILT_IN: Mapping[str, str] = {
    "edit-fields": "edit_fields:EditFields",
    "file-system": "file_system:FileSystem",
    "http-request": "http_request:HttpRequest",
    "image": "image:Image",
    "flow": "flow_call:FlowCall",
    "group": "group:Group",
    "loop": "loop:Loop",
    "parallel": "parallel:Parallel",
    "python": "python_code:Python",
    "shell-command": "shell_command:ShellCommand",
    "spreadsheet": "spreadsheet:Spreadsheet",
    "transform": "transform:Transform",
}
"""Type name -> module and class within this folder; imported when a flow first uses it."""

FOLDER_NAME = "nodes"
"""The folder beside the flows that may hold node types, one a file."""


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
        self._path = Path(flows).expanduser().absolute() / FOLDER_NAME if flows is not None else None
        self._lock = threading.RLock()
        self._built_in: dict[str, CataloguedType] = {}
        self._folder: PluginFolder | None = None
        self._installed: dict[str, CataloguedType] = {}
        self._package_problems: tuple[Problem, ...] = ()
        self._packages_scanned = False

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with plug-ins looked at so far, in the order of their files, then of their entry points."""
        with self._lock:
            return (*(self._folder.problems if self._folder else ()), *self._package_problems)

    @property
    def generation(self) -> int:
        """Grows with each change of the types beside the flows that a look finds."""
        with self._lock:
            return self._folder.generation if self._folder else 0

    def refresh(self) -> int:
        """Look at the folder beside the flows, read what has changed, and return `generation`."""
        with self._lock:
            self._beside()
            return self.generation

    def is_fixed(self, name: str) -> bool:
        """Return whether the type of this name never changes while the process lives: whether it is built in."""
        return name in BUILT_IN

    def find(self, name: str) -> CataloguedType | None:
        """Return the node type of this name, or None."""
        found = self._built_in.get(name)
        if found is not None:
            return found
        with self._lock:
            if name in BUILT_IN:
                return self._load_built_in(name)
            beside = self._beside().get(name)
            if beside is None:
                self._scan_packages()
            return beside or self._installed.get(name)

    def names(self) -> Sequence[str]:
        """Return all names, sorted."""
        with self._lock:
            self._scan_packages()
            return sorted({*BUILT_IN, *self._beside(), *self._installed})

    def types(self) -> tuple[CataloguedType, ...]:
        """Return all node types, sorted by name."""
        found = (self.find(name) for name in self.names())
        return tuple(each for each in found if each is not None)

    def close(self) -> None:
        """Let the types in use let go of what they keep between attempts; none of them may fail the others."""
        with self._lock:
            beside: Mapping[str, CataloguedType] = self._folder.types if self._folder else {}
            used = (*self._built_in.values(), *beside.values(), *self._installed.values())
        for each in used:
            try:
                each.node_type.close()
            except Exception:
                log.exception("the node type %s could not be closed", each.name)

    def _load_built_in(self, name: str) -> CataloguedType:
        module, _, class_name = BUILT_IN[name].partition(":")
        declared: type[NodeType] = getattr(import_module(f"{__package__}.{module}"), class_name)
        return self._built_in.setdefault(name, CataloguedType(declared(), BUILT_IN_SOURCE))

    def _beside(self) -> Mapping[str, CataloguedType]:
        if self._path is None:
            return {}
        if self._folder is None and not os.path.exists(self._path):  # noqa: PTH110  # a Path raises where it may not look
            return {}
        if self._folder is None:
            # Loaded here: most flows use built-in types alone.
            from atomiton_runtime.nodes.plugin_folder import PluginFolder

            self._folder = PluginFolder(self._path, BUILT_IN)
        self._folder.refresh()
        return self._folder.types

    def _scan_packages(self) -> None:
        if self._packages_scanned:
            return
        from atomiton_runtime.nodes import plugins

        self._packages_scanned = True
        problems: list[Problem] = []
        for point in plugins.entry_points():
            try:
                self._install(point)
            except plugins.PluginBroken as broken:
                problems += plugins.entry_point_problems(point, broken)
        self._package_problems = tuple(problems)

    def _install(self, point: "EntryPoint") -> None:
        from atomiton_runtime.nodes import plugins

        if point.name in BUILT_IN or point.name in self._installed:
            message = f"there is already a node type `{point.name}`"
            raise plugins.PluginBroken(plugins.Fault(message=message, code="NODE-002"))
        node_type = plugins.load_entry_point(point)
        self._installed[point.name] = CataloguedType(node_type, f"entry point {point.name} = {point.value}")
