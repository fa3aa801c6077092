"""Holds a node on its way from the original to TOML."""

from collections.abc import Sequence

import msgspec

from atomiton_runtime.importing.original import OriginalEdge, OriginalNode
from atomiton_runtime.importing.parts import OWN, Part
from atomiton_runtime.importing.remarks import Remark, look, note
from atomiton_runtime.importing.yaml_file import Data, Document


class Draft(msgspec.Struct, kw_only=True):
    """A node as it will be written; it is completed step by step."""

    id: str
    original: OriginalNode
    document: Document
    keys: dict[str, Data] = {}
    """Keys of the TOML in their order."""
    remarks: list[Remark] = []
    children: list["Draft"] = []
    edges: Sequence[OriginalEdge] = ()
    """Those among the children."""
    parts: Sequence[Part] = ()
    """The nodes before this one that its code became as well."""
    reads: tuple[str, ...] = (OWN,)
    """References to what it takes: `OWN`, or names of its parts."""
    single: bool = False
    """Whether the result is a list of one, where the original had just the one."""

    @property
    def type(self) -> str:
        """Return its type."""
        return str(self.keys["type"])

    def line(self, key: str) -> int:
        """Return the line of a parameter in the original file."""
        return self.document.line((*self.original.parameters_path, key))

    def look(self, key: str, message: str, original: object = None) -> None:
        """Keep that a parameter was not translated."""
        self.remarks.append(look(message, self.line(key), original))

    def note(self, key: str, message: str) -> None:
        """Keep that a parameter was translated, but may behave differently."""
        self.remarks.append(note(message, self.line(key)))
