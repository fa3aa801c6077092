"""Which nodes a run executes: `--fresh`, `--from` and `--only`, over a whole runtime."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime.errors import UsageError
from atomiton_runtime.requests import Chosen
from tests.doubles.saving import Studio, executed, statuses

MAKES = 'type = "edit-fields"\nkeep_only_set = true\n'
TEXT = f"""
[nodes.a]
{MAKES}values = {{ x = 1 }}
[nodes.b]
input = "a"
{MAKES}values = {{ x = 1 }}
[nodes.c]
input = "b"
type = "group"
[nodes.c.nodes.inner]
{MAKES}values = {{ x = 1 }}
[nodes.kept]
reuse = "always"
{MAKES}values = {{ x = 1 }}
[nodes.side]
{MAKES}values = {{ x = 1 }}
"""
ALL = {"a", "b", "c", "c/inner", "kept", "side"}
CHOICES = [
    (None, ALL - {"kept"}),
    (Chosen(), ALL - {"kept"}),
    (Chosen(fresh=True), ALL),
    (Chosen(from_node="a"), {"a", "b", "c", "c/inner"}),
    (Chosen(from_node="b"), {"b", "c", "c/inner"}),
    (Chosen(from_node="c"), {"c", "c/inner"}),
    (Chosen(from_node="kept"), {"kept"}),
    (Chosen(only_node="b"), {"b"}),
    (Chosen(only_node="side"), {"side"}),
]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path) as started:
        yield started


@pytest.mark.parametrize(("chosen", "wanted"), CHOICES)
def test_what_is_chosen_is_executed(studio: Studio, chosen: Chosen | None, wanted: set[str]) -> None:
    """After a run in which all went well: of the others, those whose results hold are not."""
    studio.save(TEXT)

    assert executed(studio.run(chosen=chosen)) == wanted
    assert executed(studio.run(chosen=chosen)) == wanted


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [(Chosen(from_node="b"), ALL), (Chosen(only_node="b"), {"a", "b"}), (Chosen(only_node="a"), {"a"})],
)
def test_what_was_never_executed_is_needed(studio: Studio, chosen: Chosen, wanted: set[str]) -> None:
    """Before what is chosen; what comes after a single node, or stands beside it, is left out."""
    assert executed(studio.run(TEXT, chosen)) == wanted


def test_what_is_left_out_says_why(studio: Studio) -> None:
    """And the run that leaves it out succeeds."""
    only = studio.run(TEXT, Chosen(only_node="b"))

    assert only.status == "succeeded"
    assert {name for name, status in statuses(only).items() if status == "skipped"} == {"c", "kept", "side"}
    reasons = [
        event.reason for event in studio.runtime.journal(only.run_id) if type(event).__name__ == "NodeSkipped"
    ]
    assert set(reasons) == {"only b was asked for, and what it needs"}


def test_before_what_is_chosen_a_change_is_executed(studio: Studio) -> None:
    """For the result of another definition does not hold."""
    studio.save(TEXT)
    changed = TEXT.replace("values = { x = 1 }", "values = { x = 2 }", 1)

    assert executed(studio.run(changed, Chosen(only_node="b"))) == {"a", "b"}


@pytest.mark.parametrize(
    ("chosen", "code", "said"),
    [
        (Chosen(from_node="bb"), "RUN-025", "b"),
        (Chosen(only_node="nothing like it"), "RUN-025", "a, b, c"),
        (Chosen(fresh=True, from_node="a"), "RUN-026", "choose one"),
        (Chosen(from_node="a", only_node="a"), "RUN-026", "choose one"),
    ],
)
def test_what_cannot_be_chosen_is_refused(studio: Studio, chosen: Chosen, code: str, said: str) -> None:
    """With what there is to choose."""
    with pytest.raises(UsageError) as refused:
        studio.run(TEXT, chosen)

    assert refused.value.code == code
    assert refused.value.hint is not None
    assert said in refused.value.hint
