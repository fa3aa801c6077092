"""Makes the whole diagnosis: every check on its own, so that what one of them meets hides nothing of the others."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from atomiton_runtime.doctor import desktop, flows, places, store, system
from atomiton_runtime.doctor.finding import Finding, refused
from atomiton_runtime.errors import UsageError
from atomiton_runtime.settings import Places

Check: TypeAlias = Callable[[], Iterable[Finding]]
PlacesCheck: TypeAlias = Callable[[Places], Iterable[Finding]]

_FIRST: tuple[tuple[str, Check], ...] = (("system", system.versions),)
_OF_PLACES: tuple[tuple[str, PlacesCheck], ...] = (
    ("places", places.folders),
    ("store", store.store),
    ("flows", flows.flows),
)
_LAST: tuple[tuple[str, Check], ...] = (
    ("desktop", desktop.desktop),
    ("programs", system.programs),
    ("limits", system.limits),
)


def examine(find: Callable[[], Places]) -> tuple[Finding, ...]:
    """Return everything that is found, in the order in which it is read. Writes nothing and raises nothing.

    Args:
        find: says where the folders are, or raises `UsageError`.
    """
    return tuple(_findings(find))


def _findings(find: Callable[[], Places]) -> Iterator[Finding]:
    for area, check in _FIRST:
        yield from _guarded(area, check)
    try:
        found = find()
    except UsageError as error:
        yield refused("places", "folders", error)
    else:
        for area, of_places in _OF_PLACES:
            yield from _guarded(area, lambda of_places=of_places: of_places(found))
    for area, check in _LAST:
        yield from _guarded(area, check)


def _guarded(area: str, check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001  # a check that fails is a finding: it met what nobody thought of
        message = f"this cannot be looked at: {type(error).__name__}: {error}"
        hint = "if the words do not say what to do, please report them"
        yield Finding(area=area, subject=area, level="problem", message=message, hint=hint)
