"""Lists what `decide` orders: whoever calls it carries these out."""

from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.ids import ROOT, ScopeId
from atomiton_runtime.run.given import AttemptTimeout, RetryDue, RunTimeout

Step = Literal["begin", "again", "gather"]
"""What of an attempt is to be executed. Without a body, `begin` is all of it; with one, that says how the body is to be
executed, `again` whether there is another execution of it, and `gather` makes the outputs of what became of them."""


class Execute(msgspec.Struct, frozen=True):
    """Execute a step of an attempt of the node at this index."""

    node: int
    attempt: int
    scope: ScopeId = ROOT
    step: Step = "begin"


class Stop(msgspec.Struct, frozen=True):
    """Tell the attempt that runs to stop."""

    node: int
    why: Literal["cancel", "timeout"]
    scope: ScopeId = ROOT


class SetTimer(msgspec.Struct, frozen=True):
    """Give `then` back after `delay_s` seconds."""

    delay_s: float
    then: RetryDue | AttemptTimeout | RunTimeout


Effect: TypeAlias = Execute | Stop | SetTimer
