"""Decides, before anything runs, whether an expression uses only what exists where it stands."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec

from atomiton_runtime.flow.lookup import did_you_mean

RUN_KEYS = ("id", "trigger", "started_at")
FLOW_KEYS = ("id", "name", "folder")
EVERYWHERE = frozenset(("input", "vars", "env", "secrets", "run", "flow", "now"))
"""The names that every expression may use."""
OF_ITEMS = frozenset(("item", "index", "acc"))
"""The names that exist where something is repeated: in bodies, and in parameters that are expressions."""
OUTER = "outer"
"""`outer.item`, `outer.index`, `outer.outer`: the same names of what is repeated around that."""
FUNCTIONS = frozenset(("range",))
"""What may be called by its bare name."""

_HAVE_KEYS = frozenset(("vars", "env", "secrets", "run", "flow"))
"""The names whose keys change each on its own."""
_MEANING_SOMETHING = EVERYWHERE | OF_ITEMS | {OUTER}
_ONLY_BY_NAME = "secrets are only taken one by one, each by its name"
_KEYS = {"run": RUN_KEYS, "flow": FLOW_KEYS}
_WHERE_ITEMS = {
    "item": "`item` exists inside a body and in expressions over items",
    "index": "`index` exists inside a body and in expressions over items",
    "acc": "`acc` exists in the expression of `reduce`",
    "outer": "`outer` exists where something is repeated within a loop",
}


class Use(NamedTuple):
    """A name that an expression uses, with the key that it takes of it, if it takes one by name."""

    name: str
    key: str | None


class UsedNames(NamedTuple):
    """The names in an expression or template."""

    uses: tuple[Use, ...]
    """All of them, each once, in their order."""
    own: frozenset[str] = frozenset()
    """Those that it sets itself, somewhere."""

    @property
    def from_outside(self) -> tuple[Use, ...]:
        """Those that must exist where it stands."""
        return tuple(use for use in self.uses if use.name not in self.own) if self.own else self.uses


def names_of(uses: Iterable[Use]) -> frozenset[str]:
    """Return what the values of `uses` depend on: `vars.limit`, `input`, or `vars` where it is used as a whole.

    Names that mean nothing outside of an expression are left out.
    """
    return frozenset(
        f"{use.name}.{use.key}" if use.key is not None and use.name in _HAVE_KEYS else use.name
        for use in uses
        if use.name in _MEANING_SOMETHING
    )


class NameFault(msgspec.Struct, frozen=True):
    """A name that an expression must not use where it stands."""

    code: str
    reason: str
    hint: str | None
    token: str
    """The word to underline."""


def name_faults(
    uses: Collection[Use], variables: Collection[str], *, repeats: Collection[str] = ()
) -> Iterator[NameFault]:
    """Yield what is wrong with the names an expression uses.

    Args:
        uses: the names, each with its key.
        variables: the names of the flow's variables.
        repeats: which of `item`, `index`, `acc` and `outer` exist here.
    """
    told: list[NameFault] = []
    for use in uses:
        fault = _fault(use, variables, repeats)
        # `x.a + x` is wrong once, if it is `x` that does not exist.
        if fault is not None and fault not in told:
            told.append(fault)
            yield fault


def _fault(use: Use, variables: Collection[str], repeats: Collection[str]) -> NameFault | None:
    name, key = use
    if name == "vars":
        return None if key is None or key in variables else _undeclared(key, variables)
    if name == "secrets":
        return None if key is not None else NameFault("EXPR-008", _ONLY_BY_NAME, "write `secrets.NAME`", name)
    if name in _KEYS and key is not None and key not in _KEYS[name]:
        known = ", ".join(f"`{name}.{each}`" for each in _KEYS[name])
        hint = did_you_mean(key, _KEYS[name]) or f"there are {known}"
        return NameFault("EXPR-002", f"`{name}` has no key `{key}`", hint, key)
    if name in EVERYWHERE or name in repeats:
        return None
    if name in _WHERE_ITEMS:
        return NameFault("EXPR-002", f"`{name}` does not exist here", _WHERE_ITEMS[name], name)
    return _unknown(name, variables, repeats)


def _unknown(name: str, variables: Collection[str], repeats: Collection[str]) -> NameFault:
    if name in FUNCTIONS:
        return NameFault("EXPR-002", f"`{name}` is a function", f"call it: `{name}(3)`", name)
    if name in variables:
        hint: str | None = f"write `vars.{name}`"
    else:
        known = sorted(EVERYWHERE | set(repeats))
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}; a text needs quotes: '{name}'"
    return NameFault("EXPR-002", f"unknown name `{name}`", hint, name)


def _undeclared(key: str, variables: Collection[str]) -> NameFault:
    if not variables:
        hint: str | None = f'declare it: [variables] {key} = "..."'
    else:
        hint = did_you_mean(key, variables) or f"the flow's variables are: {', '.join(sorted(variables))}"
    return NameFault("EXPR-010", f"the flow has no variable `{key}`", hint, key)
