"""Is the node type `transform`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.flow.expressions import Expression
from atomiton_runtime.nodes.base import Example, NodeContext, NodeError, NodeType, Port
from atomiton_runtime.nodes.items import evaluated, keys_of, reduced
from atomiton_runtime.nodes.ordering import Incomparable, identity, kind_of, order_of
from atomiton_runtime.nodes.scalars import IS_KEY
from atomiton_runtime.nodes.together import Taken, unfit
from atomiton_runtime.values import Value

Operation = Literal[
    "map", "filter", "reduce", "sort", "group", "flatten", "unique", "reverse", "limit", "skip", "slice"
]

_TAKES: Mapping[str, Taken] = {
    "map": Taken(needed=("expression",)),
    "filter": Taken(needed=("expression",)),
    "reduce": Taken(needed=("expression",), optional=("initial",)),
    "sort": Taken(optional=("key", "direction")),
    "group": Taken(needed=("key",)),
    "flatten": Taken(optional=("depth",)),
    "unique": Taken(optional=("key",)),
    "reverse": Taken(),
    "limit": Taken(needed=("count",)),
    "skip": Taken(needed=("count",)),
    "slice": Taken(optional=("start", "end")),
}


class TransformParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `transform` takes."""

    operation: Annotated[
        Operation,
        Meta(
            description=(
                "What happens to the list. `map` replaces each item by the value of `expression`; `filter` keeps "
                "the items for which it is true (null, false, 0 and whatever is empty count as false); `reduce` "
                "carries `acc` from item to item; `sort` orders by `key`; `group` gives a list of "
                "`{key, items}` in the order in which the keys first appear; `flatten` opens lists inside the "
                "list; `unique` keeps the first item of each key; `reverse` turns the list round; `limit` keeps "
                "the first `count` items, `skip` all others; `slice` keeps those from `start` up to `end`."
            )
        ),
    ]
    expression: Annotated[
        Expression | None,
        Meta(
            description="map, filter, reduce: evaluated for each `item` with its `index`; reduce: also `acc`."
        ),
    ] = None
    initial: Annotated[
        Any,
        Meta(
            description="reduce: the first `acc`. Without it that is the first item, and the second is next."
        ),
    ] = UNSET
    key: Annotated[
        Expression | None,
        Meta(
            description=(
                "sort, group, unique: by what. A bare name is the key of an object, anything else an expression "
                "with `item` and `index`; a list such as `[item.country, item.name]` sorts by several keys. "
                "Without it, the items themselves."
            ),
            extra=IS_KEY,
        ),
    ] = None
    direction: Annotated[
        Literal["asc", "desc"],
        Meta(description="sort: smallest or largest first. Equal items keep their order, null comes last."),
    ] = "asc"
    depth: Annotated[int, Meta(description="flatten: so many levels of lists are opened.", ge=1)] = 1
    count: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="limit, skip: so many items.")] = (
        None
    )
    start: Annotated[
        int | None, Meta(description="slice: index of the first item, from 0; negative: from the end.")
    ] = None
    end: Annotated[
        int | None, Meta(description="slice: index after the last item; negative: from the end.")
    ] = None
    data: Annotated[Any, Meta(description="The list. Without it, the input.")] = UNSET


class Transform(NodeType):
    """Changes a list: maps, filters, reduces, sorts, groups, flattens, cuts.

    Whatever goes wrong with one item fails the node, with the item's index: nothing is left out silently.
    Numbers, texts, true/false, bytes and lists have an order, each among their own kind only.
    """

    name = "transform"
    ports = (
        Port("result", "The changed list; `reduce`: the last `acc`."),
        Port("count", "How many items the result has; `reduce`: how many items were taken in."),
    )
    Parameters = TransformParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Compute something from each item",
            toml='operation = "map"\nexpression = "item.price * 2"',
            input=[{"price": 2}, {"price": 5}],
            outputs={"result": [4, 10], "count": 2},
        ),
        Example(
            title="Keep what matters",
            toml='operation = "filter"\nexpression = "item.active and item.total > 10"',
            input=[
                {"active": True, "total": 12},
                {"active": True, "total": 3},
                {"active": False, "total": 99},
            ],
            outputs={"result": [{"active": True, "total": 12}], "count": 1},
        ),
        Example(
            title="Add up",
            toml='operation = "reduce"\nexpression = "acc + item.total"\ninitial = 0',
            input=[{"total": 2}, {"total": 5}],
            outputs={"result": 7, "count": 2},
        ),
        Example(
            title="Largest first, by a key of the items",
            toml='operation = "sort"\nkey = "total"\ndirection = "desc"',
            input=[{"total": 2}, {"total": None}, {"total": 5}],
            outputs={"result": [{"total": 5}, {"total": 2}, {"total": None}]},
        ),
        Example(
            title="Sort by two keys",
            toml='operation = "sort"\nkey = "[item.country, item.name]"',
            input=[
                {"country": "NO", "name": "b"},
                {"country": "DE", "name": "c"},
                {"country": "NO", "name": "a"},
            ],
            outputs={
                "result": [
                    {"country": "DE", "name": "c"},
                    {"country": "NO", "name": "a"},
                    {"country": "NO", "name": "b"},
                ]
            },
        ),
        Example(
            title="Bring together what belongs together",
            toml='operation = "group"\nkey = "item % 2"',
            input=[1, 2, 3],
            outputs={"result": [{"key": 1, "items": [1, 3]}, {"key": 0, "items": [2]}], "count": 2},
        ),
        Example(
            title="Open lists inside the list",
            toml='operation = "flatten"\ndepth = 2',
            input=[1, [2, [3, [4]]]],
            outputs={"result": [1, 2, 3, [4]], "count": 4},
        ),
        Example(
            title="Each value once",
            toml='operation = "unique"',
            input=["b", "a", "b", {"x": 1}, {"x": 1}],
            outputs={"result": ["b", "a", {"x": 1}], "count": 3},
        ),
        Example(
            title="Turn round a list that is written in the flow",
            toml='operation = "reverse"\ndata = [1, 2, 3]',
            outputs={"result": [3, 2, 1], "count": 3},
        ),
        Example(
            title="The first two",
            toml='operation = "limit"\ncount = 2',
            input=["a", "b", "c"],
            outputs={"result": ["a", "b"], "count": 2},
        ),
        Example(
            title="All but the first two",
            toml='operation = "skip"\ncount = 2',
            input=["a", "b", "c"],
            outputs={"result": ["c"], "count": 1},
        ),
        Example(
            title="From the second to the last but one",
            toml='operation = "slice"\nstart = 1\nend = -1',
            input=["a", "b", "c", "d"],
            outputs={"result": ["b", "c"], "count": 2},
        ),
        Example(title="A filter without a condition", toml='operation = "filter"', error="PARAM-007"),
        Example(title="A misspelt operation", toml='operation = "fliter"', error="PARAM-004"),
        Example(
            title="Text and numbers have no common order",
            toml='operation = "sort"',
            input=[1, "b"],
            error="DATA-002",
        ),
        Example(title="No list", toml='operation = "reverse"', input={"rows": [1]}, error="DATA-001"),
    )

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return which parameters the operation lacks, and which it would not use."""
        return unfit(parameters, _TAKES)

    def execute(self, parameters: TransformParameters, context: NodeContext) -> dict[str, Value]:
        """Return the changed list and its length."""
        items = _items(context.input if parameters.data is UNSET else parameters.data, parameters)
        if parameters.operation == "reduce":
            return {"result": _reduced(parameters, items, context), "count": len(items)}
        result = _OPERATIONS[parameters.operation](parameters, items, context)
        return {"result": result, "count": len(result)}


def _items(value: Value | UnsetType, parameters: TransformParameters) -> list[Value]:
    if isinstance(value, list):
        return value
    source = "the input" if parameters.data is UNSET else "`data`"
    lists = (
        [key for key, entry in value.items() if isinstance(entry, list)] if isinstance(value, dict) else []
    )
    hint = f'to take the list inside it: data = "{{{{ input.{lists[0]} }}}}"' if lists else None
    raise NodeError("DATA-001", f"{source} must be a list, not {kind_of(value)}", hint=hint)


def _map(parameters: TransformParameters, items: list[Value], context: NodeContext) -> list[Value]:
    assert parameters.expression is not None
    return list(evaluated(parameters.expression, items, context))


def _filter(parameters: TransformParameters, items: list[Value], context: NodeContext) -> list[Value]:
    assert parameters.expression is not None
    kept = evaluated(parameters.expression, items, context)
    return [item for item, keep in zip(items, kept, strict=True) if keep]


def _reduced(parameters: TransformParameters, items: list[Value], context: NodeContext) -> Value:
    assert parameters.expression is not None
    if parameters.initial is not UNSET:
        return reduced(parameters.expression, items, parameters.initial, context)
    if not items:
        hint = "give the value for an empty list as `initial`"
        raise NodeError("DATA-004", "there are no items to reduce and no `initial`", hint=hint)
    return reduced(parameters.expression, items, items[0], context, first=1)


def _sort(parameters: TransformParameters, items: list[Value], context: NodeContext) -> list[Value]:
    keys = keys_of(parameters.key, items, context)
    try:
        order = order_of(keys, descending=parameters.direction == "desc")
    except Incomparable as error:
        by = f" by `{parameters.key.text}`" if parameters.key else ""
        hint = 'convert in `key`, e.g. key = "item.total | float", or filter the list first'
        raise NodeError("DATA-002", f"the items cannot be sorted{by}: {error}", hint=hint) from error
    return [items[index] for index in order]


def _group(parameters: TransformParameters, items: list[Value], context: NodeContext) -> list[Value]:
    groups: dict[object, tuple[Value, list[Value]]] = {}
    for item, key in zip(items, keys_of(parameters.key, items, context), strict=True):
        groups.setdefault(identity(key), (key, []))[1].append(item)
    return [{"key": key, "items": members} for key, members in groups.values()]


def _unique(parameters: TransformParameters, items: list[Value], context: NodeContext) -> list[Value]:
    first: dict[object, Value] = {}
    for item, key in zip(items, keys_of(parameters.key, items, context), strict=True):
        first.setdefault(identity(key), item)
    return list(first.values())


def _flatten(parameters: TransformParameters, items: list[Value], context: NodeContext) -> list[Value]:
    for _ in range(parameters.depth):
        context.cancel.raise_if_cancelled()
        if not any(isinstance(item, list) for item in items):
            break
        items = [inner for item in items for inner in (item if isinstance(item, list) else (item,))]
    return items


def _cut(parameters: TransformParameters, items: list[Value], context: NodeContext) -> list[Value]:
    del context
    match parameters.operation:
        case "limit":
            return items[: parameters.count]
        case "skip":
            return items[parameters.count :]
        case "slice":
            return items[parameters.start : parameters.end]
        case _:
            return items[::-1]


_Changed: TypeAlias = Callable[[TransformParameters, list[Value], NodeContext], list[Value]]
_OPERATIONS: Mapping[str, _Changed] = {
    "map": _map,
    "filter": _filter,
    "sort": _sort,
    "group": _group,
    "flatten": _flatten,
    "unique": _unique,
    "reverse": _cut,
    "limit": _cut,
    "skip": _cut,
    "slice": _cut,
}
