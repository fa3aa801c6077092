"""Says how the body of a node is to run: what its node type found out, for `decide` to carry out."""

from typing import Literal

import msgspec

Strategy = Literal["all", "race", "all-settled"]
"""`all`: the first failure within a body fails it. `race`: the first child that succeeds ends the others.
`all-settled`: failures of children are results like others."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The executions of a body, one after another or side by side."""

    count: int | None = 1
    """How many there are; None: before each, the node type is asked whether there is another one."""
    concurrency: int = 1
    """Executions at once; `side_by_side`: children at once."""
    side_by_side: bool = False
    """Whether the children wait for nothing but a place."""
    numbered: bool = False
    """Whether the ids of child nodes have the execution's index in them: `each/3/resize`."""
    strategy: Strategy = "all"
    collect: bool = False
    """True: an execution that fails does not keep the others from beginning."""
    takes: tuple[int, ...] = ()
    """Indexes of the children whose outputs the node's own are made of."""
