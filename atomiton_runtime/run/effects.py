"""Lists what `decide` orders: whoever calls it carries these out."""

from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.run.given import AttemptTimeout, RetryDue, RunTimeout


class Execute(msgspec.Struct, frozen=True):
    """Start an attempt of the node at this index."""

    node: int
    attempt: int


class Stop(msgspec.Struct, frozen=True):
    """Tell the attempt that runs to stop."""

    node: int
    why: Literal["cancel", "timeout"]


class SetTimer(msgspec.Struct, frozen=True):
    """Give `then` back after `delay_s` seconds."""

    delay_s: float
    then: RetryDue | AttemptTimeout | RunTimeout


Effect: TypeAlias = Execute | Stop | SetTimer
