"""What the menu needs to know of all flows is worked out once, however often it is opened."""

from collections.abc import ValuesView

from atomiton_runtime.ids import FlowId
from atomiton_runtime.tray import menu
from atomiton_runtime.tray.listing import Listings, listing
from atomiton_runtime.tray.state import ListedFlow, TrayState, apply, with_changed_flows
from tests.tray.cases import NOW, flow, known, problem, queued, result


class CountedFlows(dict[FlowId, ListedFlow]):
    """Flows that count how often all of them are looked through."""

    walks = 0

    def values(self) -> ValuesView[ListedFlow]:
        """Count."""
        self.walks += 1
        return super().values()


def test_order_and_twins() -> None:
    """Flows are listed by name whatever its letters' size, then by id; those of the same name are known as twins."""
    flows = known(
        flow("beta", id=FlowId("z")),
        flow("Beta", id=FlowId("b")),
        flow("alpha", id=FlowId("2")),
        flow("alpha", id=FlowId("1"), problems=(problem(),)),
        flow("Aside", listed=False, problems=(problem(),)),
    ).flows
    found = listing(flows)

    assert ["1", "2", "b", "z"] == [one.id for one in found.flows]
    assert frozenset({"alpha"}) == found.twins
    assert found.broken == 1


def test_the_flows_are_looked_through_once_for_each_version_of_them() -> None:
    """Menu and summary of the same flows look through none of them again; runs and results change nothing about it."""
    flows = CountedFlows({one.id: one for one in (flow(f"Flow {number}") for number in range(300))})
    listings = Listings()
    states = [TrayState(loaded=True, flows=flows, results={FlowId("flow 7"): result()})]
    states.append(apply(states[0], queued(flow_id=FlowId("flow 8"))))
    for state in states:
        menu.compose(state, NOW, flows_folder="/flows", listed=listings.of(state.flows))
        menu.summary(state, listings.of(state.flows))

    assert flows.walks == 1
    assert states[0].flows is states[1].flows
    renamed = with_changed_flows(states[1], {FlowId("flow 7")}, [flow("A", id=FlowId("flow 7"))])
    assert listings.of(renamed.flows).flows[0].name == "A"


def test_a_listing_changes_nothing_but_the_work() -> None:
    """With a listing that is there already the menu is what it is without one."""
    state = known(*(flow(f"Flow {number}") for number in range(70)), results={FlowId("flow 7"): result()})
    listed = Listings().of(state.flows)

    assert menu.compose(state, NOW, flows_folder="/f") == menu.compose(
        state, NOW, flows_folder="/f", listed=listed
    )
    assert menu.summary(state) == menu.summary(state, listed)
