# ruff: noqa: N802, D401  # the names are the D-Bus interface's, and properties are things
"""Answers a panel that asks for the menu: the D-Bus interface com.canonical.dbusmenu, version 3.

Source: the interface's description in libdbusmenu (`dbus-menu.xml`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from dbus_fast import DBusError, ErrorType, PropertyAccess, Variant
from dbus_fast.annotations import DBusBool, DBusInt32, DBusSignature, DBusStr, DBusUInt32, DBusVariant
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from atomiton_runtime.tray.status_notifier.layout import (
    ROOT,
    Difference,
    Node,
    Numbers,
    Placed,
    Properties,
    Property,
    difference,
    in_old_shape,
)

PATH = "/MenuBar"
OPEN_AT_MOST_S = 60.0
"""A menu that was reported open counts as closed after this time, should the panel never say so."""
LOOKED_AT_FOR_S = 5.0
"""Some panels (xfce 4.18) say that the menu is about to be shown, and nothing more: it counts as open for this long. If
lines still came as it is shown again, xfce would squeeze it; so they must have come before."""

_Variants = dict[str, Variant]
_Names = Annotated[list[str], DBusSignature("as")]
_Ids = Annotated[list[int], DBusSignature("ai")]
_LayoutAnswer = Annotated[list[object], DBusSignature("u(ia{sv}av)")]
_PropertiesAnswer = Annotated[list[list[object]], DBusSignature("a(ia{sv})")]
_UpdatedAnswer = Annotated[list[object], DBusSignature("a(ia{sv})a(ias)")]
_ShowAnswer = Annotated[list[list[int]], DBusSignature("aiai")]
_LayoutSignal = Annotated[list[int], DBusSignature("ui")]
_Events = Annotated[list[tuple[int, str, Variant, int]], DBusSignature("a(isvu)")]

_SIGNATURES: dict[type, str] = {bool: "b", int: "i", str: "s", bytes: "ay"}


class MenuService(ServiceInterface):
    """The menu on the bus. Everything happens in the loop's thread; `nodes` and `clicked` must be quick.

    Texts change whenever they like. Lines come and go only while the menu is closed, as far as the panel says so: a
    menu that jumps under the mouse makes people click what they did not mean (xfce squeezes it, lxqt closes it).
    """

    def __init__(
        self,
        nodes: Callable[[], Iterable[Node]],
        clicked: Callable[[str], bool],
        *,
        stale: Callable[[int], object],
        opened: Callable[[], object],
    ) -> None:
        """Prepare the interface.

        Args:
            nodes: returns the menu as it is now.
            clicked: takes the key of a clicked line; returns False if that cannot be clicked.
            stale: told the number of a click on a line that is gone.
            opened: told that somebody looks at the menu.
        """
        super().__init__("com.canonical.dbusmenu")
        self._nodes, self._clicked = nodes, clicked
        self._stale, self._opened = stale, opened
        self._numbers = Numbers()
        self._revision = 1
        self._shown = self._numbers.place(())
        self._latest = self._shown
        self._lines = {line.id: line for line in self._shown.walk()}
        self._closing: asyncio.TimerHandle | None = None

    def refresh(self) -> None:
        """Bring the panel up to date; what would move lines under the mouse waits until the menu is closed."""
        self._latest = self._numbers.place(self._nodes())
        target = self._latest if self._closing is None else in_old_shape(self._shown, self._latest)
        self._show(target)

    def stop(self) -> None:
        """Forget the timer, if one runs."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    # -- What is shown -------------------------------------------------------------------------------------

    def _show(self, target: Placed) -> bool:
        """Make `target` what the panel sees; return whether it must ask for the layout again."""
        change = difference(self._shown, target)
        self._shown, self._lines = target, {line.id: line for line in target.walk()}
        if change.structure:
            self._revision += 1
            self.LayoutUpdated(self._revision, ROOT)
        if change.updated or change.removed:
            self.ItemsPropertiesUpdated(change)
        return change.structure

    def _about_to_show(self) -> bool:
        self._latest = self._numbers.place(self._nodes())
        changed = self._show(self._latest)
        self._note_open(LOOKED_AT_FOR_S)
        self._opened()
        return changed

    def _note_open(self, at_most_s: float) -> None:
        self.stop()
        self._closing = asyncio.get_running_loop().call_later(at_most_s, self._note_closed)

    def _note_closed(self) -> None:
        self.stop()
        self._show(self._latest)

    def _handle(self, number: int, kind: str) -> None:
        """Act on an event.

        Raises:
            DBusError: the line is gone, or cannot be clicked.
        """
        line = self._lines.get(number)
        match kind:
            case "opened" if number == ROOT:
                self._note_open(OPEN_AT_MOST_S)
            case "closed" if number == ROOT:
                self._note_closed()
            case "clicked":
                taken = line is not None and self._clicked(line.key)
                self._note_closed()  # whoever says nothing else: a click closes the menu
                if not taken:
                    self._stale(number)
                    raise _unknown(number)
            case _ if line is None:
                raise _unknown(number)
            case _:
                pass

    def _line(self, number: int) -> Placed:
        line = self._lines.get(number)
        if line is None:
            raise _unknown(number)
        return line

    # -- The interface -------------------------------------------------------------------------------------

    @dbus_property(access=PropertyAccess.READ)
    def Version(self) -> DBusUInt32:
        """The version of the interface."""
        return 3

    @dbus_property(access=PropertyAccess.READ)
    def Status(self) -> DBusStr:
        """Whether the menu wants attention: it never does."""
        return "normal"

    @dbus_property(access=PropertyAccess.READ)
    def TextDirection(self) -> DBusStr:
        """The direction of the menu."""
        return "ltr"

    @dbus_property(access=PropertyAccess.READ)
    def IconThemePath(self) -> _Names:
        """Where named pictures are: ours travel as data."""
        return []

    @dbus_method()
    def GetLayout(self, parent: DBusInt32, depth: DBusInt32, names: _Names) -> _LayoutAnswer:
        """Return the lines below `parent`, `depth` levels deep (-1: all), with the named properties (none: all)."""
        return [self._revision, _layout(self._line(parent), depth, names)]

    @dbus_method()
    def GetGroupProperties(self, ids: _Ids, names: _Names) -> _PropertiesAnswer:
        """Return the properties of the lines `ids` (none: all); lines that are gone are left out."""
        return [
            [number, _variants(self._lines[number].properties, names)]
            for number in (ids or self._lines)
            if number in self._lines
        ]

    @dbus_method()
    def GetProperty(self, number: DBusInt32, name: DBusStr) -> DBusVariant:
        """Return one property of a line."""
        properties = self._line(number).properties
        if name not in properties:
            raise DBusError(ErrorType.INVALID_ARGS, f"the menu entry {number} has no property {name}")
        return _variant(properties[name])

    @dbus_method()
    def Event(self, number: DBusInt32, kind: DBusStr, data: DBusVariant, timestamp: DBusUInt32) -> None:
        """Take a click, or the news that the menu was opened or closed."""
        del data, timestamp
        self._handle(number, kind)

    @dbus_method()
    def EventGroup(self, events: _Events) -> _Ids:
        """Take several events; return the numbers that are not in the menu.

        Raises:
            DBusError: none of the lines is there.
        """
        unknown: list[int] = []
        for number, kind, _, _ in events:
            try:
                self._handle(number, kind)
            except DBusError:
                unknown.append(number)
        if events and len(unknown) == len(events):
            raise _unknown(*unknown)
        return unknown

    @dbus_method()
    def AboutToShow(self, number: DBusInt32) -> DBusBool:
        """Bring the menu up to date as it opens; return whether its layout changed."""
        self._line(number)
        return self._about_to_show() if number == ROOT else False

    @dbus_method()
    def AboutToShowGroup(self, ids: _Ids) -> _ShowAnswer:
        """Do what `AboutToShow` does for several lines; return those that changed, and those that are gone."""
        changed = ROOT in ids and self._about_to_show()
        return [[ROOT] if changed else [], [number for number in ids if number not in self._lines]]

    @dbus_signal()
    def LayoutUpdated(self, revision: int, parent: int) -> _LayoutSignal:
        """Say that lines came, went or moved."""
        return [revision, parent]

    @dbus_signal()
    def ItemsPropertiesUpdated(self, change: Difference) -> _UpdatedAnswer:
        """Say that lines look different."""
        return [
            [[number, _variants(properties)] for number, properties in change.updated],
            [[number, list(names)] for number, names in change.removed],
        ]


def _layout(line: Placed, depth: int, names: Sequence[str]) -> list[object]:
    children = [] if depth == 0 else [_layout(child, depth - 1, names) for child in line.children]
    return [line.id, _variants(line.properties, names), [Variant("(ia{sv}av)", child) for child in children]]


def _variants(properties: Properties, names: Sequence[str] = ()) -> _Variants:
    return {name: _variant(value) for name, value in properties.items() if not names or name in names}


def _variant(value: Property) -> Variant:
    return Variant(_SIGNATURES[type(value)], value)


def _unknown(*numbers: int) -> DBusError:
    return DBusError(ErrorType.INVALID_ARGS, f"there is no such menu entry: {', '.join(map(str, numbers))}")
