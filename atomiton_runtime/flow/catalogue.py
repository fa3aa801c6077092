"""States what the loader needs to know of node types, so that `flow/` depends on none of them."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

ParameterKind = Literal["value", "expression", "key", "code", "child", "flow"]
"""`value`: every text in it is a template. `expression`: a bare expression, compiled at loading. `key`: the same,
but a bare name (other than those of an item) means the key of that name in each item, and is no unknown name. `code`: a
text in another language, taken verbatim, never a template. `child`: the id of a child node. `flow`: the id or path of
another flow. These two are taken verbatim as well: they are part of the graph, which is known before anything runs."""

BodyKind = Literal["once", "repeated", "side-by-side", "flow"]
"""How a node type executes child nodes: `once`; `repeated` (a loop: they have an `item` and an `index` of their own);
`side-by-side` (all at the same time, so that none may wait for another); `flow` (those of another flow)."""


COMMON_KEYS: frozenset[str] = frozenset(
    {
        "type", "name", "description", "input", "after", "when", "retry", "timeout", "on_error", "always",
        "reuse", "repeatable", "run_on", "nodes",
    }
)  # fmt: skip
"""The keys of a node's table that belong to the flow format; no node type has a parameter of such a name."""


class ParameterInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the loader knows of one parameter of a node type."""

    name: str
    kind: ParameterKind = "value"
    required: bool = False


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """Something a node type says against a node's parameters; the loader finds the place for it."""

    code: str
    message: str
    path: tuple[str | int, ...] = ()
    """Where below the node's table, e.g. `("values", "limit")`; empty: the node itself."""
    hint: str | None = None
    within: tuple[int, int] | None = None
    """Line and column, from 1, within the text at the end of `path`."""


class NodeTypeInfo(Protocol):
    """A node type, as the loader sees it."""

    @property
    def name(self) -> str:
        """The name in `type = "..."`."""
        ...

    @property
    def ports(self) -> tuple[str, ...]:
        """The output ports, primary first, without `error`."""
        ...

    @property
    def body(self) -> BodyKind | None:
        """How it executes child nodes; None: it has none."""
        ...

    @property
    def may_write(self) -> bool:
        """Whether the type says anything of its effect: whether an execution may change the outside."""
        ...

    @property
    def uses(self) -> frozenset[str]:
        """The names of expressions whose values an execution takes by itself: `vars`."""
        ...

    @property
    def parameters(self) -> Mapping[str, ParameterInfo]:
        """The parameters by name."""
        ...

    def check(self, parameters: Mapping[str, object]) -> Sequence[Complaint]:
        """Return what is wrong with `parameters`, or nothing.

        Args:
            parameters: name -> value as written; only known names, none of the required ones missing.
                A text (at any depth) whose value is known only when it runs is a `Templated` object from
                `flow.expressions` (`Template` or `Expression`); such places must be accepted for every type
                they could become.
        """
        ...


class Catalogue(Protocol):
    """All node types, by name."""

    def find(self, name: str) -> NodeTypeInfo | None:
        """Return the node type of this name, or None."""
        ...

    def names(self) -> Sequence[str]:
        """Return all names, sorted."""
        ...
