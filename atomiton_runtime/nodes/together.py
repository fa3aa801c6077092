"""Says which parameters an operation needs, and which it would not use."""

from collections.abc import Mapping, Sequence

import msgspec

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.scalars import known_later


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one operation, besides those that every operation of the type takes."""

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def unfit(parameters: Mapping[str, object], takes: Mapping[str, Taken]) -> Sequence[Complaint]:
    """Return what is missing for the `operation` among `parameters`, and what it would not use.

    Args:
        parameters: name -> value; null counts as not given.
        takes: operation -> what it takes. A parameter that no operation lists belongs to all.
    """
    operation = parameters.get("operation")
    if known_later(operation) or not isinstance(operation, str) or operation not in takes:
        return ()
    taken = takes[operation]
    found = [
        Complaint(code="PARAM-007", message=f"`{operation}` needs `{name}`")
        for name in taken.needed
        if parameters.get(name) is None
    ]
    for name, value in parameters.items():
        if value is None or name in taken.needed or name in taken.optional:
            continue
        users = [each for each, other in takes.items() if name in other.needed or name in other.optional]
        if users:
            message = f"`{operation}` does not use `{name}`"
            hint = f"`{name}` is for {', '.join(users)}"
            found.append(Complaint(code="PARAM-007", message=message, path=(name,), hint=hint))
    return found
