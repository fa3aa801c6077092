"""Names what the tray is told, besides what has happened in the runtime."""

from typing import TypeAlias

import msgspec

from atomiton_runtime.ids import FlowId


class Clicked(msgspec.Struct, frozen=True):
    """A click on a flow was taken."""

    flow: FlowId


class Answered(msgspec.Struct, frozen=True):
    """The runtime answered a click on a flow."""

    flow: FlowId


class Opened(msgspec.Struct, frozen=True):
    """Somebody looks at the menu: other processes may have run flows meanwhile."""


class Dismissed(msgspec.Struct, frozen=True):
    """The notice in the menu was read."""


class Ended(msgspec.Struct, frozen=True):
    """The tray ends."""


ByPeople: TypeAlias = Clicked | Answered | Opened | Dismissed
"""What comes of clicks."""
