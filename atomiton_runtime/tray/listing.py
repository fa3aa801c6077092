"""Works out which flows the menu lists, and in which order: once for each version of the flows."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from atomiton_runtime.ids import FlowId
from atomiton_runtime.tray.state import ListedFlow


class Listing(msgspec.Struct, frozen=True):
    """What the menu needs to know of all flows together."""

    flows: tuple[ListedFlow, ...]
    """Those that are listed, by name."""
    twins: frozenset[str]
    """The names that more than one of them has."""
    broken: int
    """How many of them have problems (count)."""


def listing(flows: Mapping[FlowId, ListedFlow]) -> Listing:
    """Return what the menu lists of these flows."""
    listed = tuple(sorted((flow for flow in flows.values() if flow.listed), key=by_name))
    names = Counter(flow.name for flow in listed)
    return Listing(
        listed,
        frozenset(name for name, count in names.items() if count > 1),
        sum(1 for flow in listed if flow.problems),
    )


def by_name(flow: ListedFlow) -> tuple[str, str]:
    """Return what flows are sorted by in the menu."""
    return flow.name.casefold(), flow.id


class Listings:
    """Remembers the listing of the latest version of the flows, which is never changed in place.

    Every thread may ask; two that ask at once may both work it out, and get the same.
    """

    def __init__(self) -> None:
        self._latest: tuple[Mapping[FlowId, ListedFlow], Listing] | None = None

    def of(self, flows: Mapping[FlowId, ListedFlow]) -> Listing:
        """Return the listing of `flows`: for the same mapping as before, the same listing as before."""
        latest = self._latest
        if latest is None or latest[0] is not flows:
            latest = self._latest = flows, listing(flows)
        return latest[1]
