"""Is the node type `loop`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from atomiton_runtime.flow.catalogue import BodyKind, Complaint
from atomiton_runtime.flow.expressions import Expression
from atomiton_runtime.nodes.base import Example, NodeContext, NodeError, Port
from atomiton_runtime.nodes.body import BodyType, Execution, Opening
from atomiton_runtime.nodes.ordering import kind_of
from atomiton_runtime.nodes.scalars import IS_CHILD
from atomiton_runtime.values import Value, preview

MAX_CONCURRENCY = 256


class LoopParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `loop` takes."""

    mode: Annotated[
        Literal["for-each", "times", "while"],
        Meta(
            description="for-each: once for every item of a list. times: `count` times; `item` is the index. "
            "while: as long as `condition` is true; `item` is the last iteration's result, at first the input."
        ),
    ] = "for-each"
    items: Annotated[list[Any] | None, Meta(description="for-each: the list; without it, the input.")] = None
    count: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="times: how many iterations.")] = (
        None
    )
    condition: Annotated[
        Expression | None,
        Meta(
            description="while: asked before each iteration, with `item` (the last result) and `index` (the number "
            "of the iteration that would begin, from 0)."
        ),
    ] = None
    max_iterations: Annotated[
        int, Meta(description="The node fails rather than do more than this.", ge=1, le=1_000_000)
    ] = 10_000
    concurrency: Annotated[
        int,
        Meta(
            description="Iterations at once; the results keep the order of the items. At most `max_parallel` nodes "
            "run at once in the whole flow.",
            ge=1,
            le=MAX_CONCURRENCY,
        ),
    ] = 1
    result: Annotated[
        str | None,
        Meta(
            description="The child node whose primary output is an iteration's result; without it, the last of those "
            "that no other child takes.",
            extra=IS_CHILD,
        ),
    ] = None
    on_item_error: Annotated[
        Literal["fail", "collect"],
        Meta(
            description="fail: after an iteration that fails no other begins, and the loop fails. collect: the "
            "others go on; its result is null and its failure is in `errors`."
        ),
    ] = "fail"


class Loop(BodyType):
    """Executes child nodes repeatedly: for every item of a list, a number of times, or while a condition holds.

    Within, `item` and `index` (from 0) are those of the iteration, and a child without `input` gets the item. In a
    loop within a loop those of the outer one are `outer.item` and `outer.index`; so they are in the expressions of a
    `transform`, whose own `item` hides the loop's. Each child runs as a node of its own: `each/3/resize`.
    """

    name = "loop"
    body: ClassVar[BodyKind | None] = "repeated"
    ports = (
        Port("results", "The result of each iteration, in the order of the items; null for one that failed."),
        Port("count", "How many iterations succeeded."),
        Port("errors", "Of each that failed: `index`, `code`, `message` and `node`. Empty unless collected."),
    )
    Parameters = LoopParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="For each item of the input",
            toml='[nodes.price]\ntype = "edit-fields"\nvalues = { total = "{{ item.net * 2 }}", at = "{{ index }}" }',
            input=[{"net": 1}, {"net": 5}],
            outputs={
                "results": [{"net": 1, "total": 2, "at": 0}, {"net": 5, "total": 10, "at": 1}],
                "count": 2,
                "errors": [],
            },
        ),
        Example(
            title="A number of times, four at once",
            toml=(
                'mode = "times"\ncount = 3\nconcurrency = 4\n'
                '[nodes.square]\ntype = "transform"\noperation = "map"\n'
                'data = ["{{ index }}"]\nexpression = "item * item"'
            ),
            outputs={"results": [[0], [1], [4]], "count": 3},
        ),
        Example(
            title="While a condition holds: each iteration begins with the last one's result",
            toml=(
                'mode = "while"\ncondition = "item.n < 100"\n'
                '[nodes.double]\ntype = "edit-fields"\nvalues = { n = "{{ item.n * 2 }}" }'
            ),
            input={"n": 30},
            outputs={"results": [{"n": 60}, {"n": 120}], "count": 2},
        ),
        Example(
            title="Collect failures and go on",
            toml=(
                'items = ["there.txt", "missing.txt"]\non_item_error = "collect"\n'
                '[nodes.read]\ntype = "file-system"\noperation = "read"\npath = "{{ item }}"'
            ),
            files={"there.txt": "here"},
            outputs={"results": ["here", None], "count": 1},
        ),
        Example(
            title="Something that is no list",
            toml='[nodes.child]\ntype = "edit-fields"\nvalues = { a = 1 }',
            input={"id": 1},
            error="LOOP-001",
        ),
        Example(
            title="A condition that stays true",
            toml=(
                'mode = "while"\ncondition = "true"\nmax_iterations = 3\n'
                '[nodes.child]\ntype = "edit-fields"\nvalues = { a = 1 }'
            ),
            error="LOOP-002",
        ),
        Example(
            title="`times` needs a count",
            toml='mode = "times"\n[nodes.child]\ntype = "edit-fields"\nvalues = { a = 1 }',
            error="PARAM-007",
        ),
    )

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return what is missing for the mode, or not used by it."""
        mode = parameters.get("mode", "for-each")
        if not isinstance(mode, str) or mode not in _OF_MODE:
            return ()
        found: list[Complaint] = []
        needed = _OF_MODE[mode]
        if needed != "items" and needed not in parameters:
            found.append(
                Complaint(
                    code="PARAM-007", message=f'`mode = "{mode}"` needs `{needed}`', hint=f"add `{needed}`"
                )
            )
        for name in _OF_MODE.values():
            if name != needed and parameters.get(name) is not None:
                message = f'`{name}` is not used with `mode = "{mode}"`'
                found.append(Complaint(code="PARAM-007", message=message, path=(name,), hint="leave it out"))
        if mode == "while" and parameters.get("concurrency", 1) != 1:
            message = "a `while` loop has one iteration at a time: each begins with the last one's result"
            found.append(
                Complaint(code="PARAM-007", message=message, path=("concurrency",), hint="leave it out")
            )
        return found

    def execute(self, parameters: LoopParameters, context: NodeContext) -> Opening:
        """Return the iterations."""
        collect = parameters.on_item_error == "collect"
        if parameters.mode == "while":
            return Opening(items=[context.input], count=None, collect=collect, result=parameters.result)
        items = None if parameters.mode == "times" else _items(parameters, context)
        count = (parameters.count or 0) if items is None else len(items)
        if count > parameters.max_iterations:
            raise _too_many(f"{count:,} iterations are more than `max_iterations`", parameters)
        return Opening(
            items=items,
            count=count,
            concurrency=parameters.concurrency,
            collect=collect,
            result=parameters.result,
        )

    def again(self, parameters: LoopParameters, context: NodeContext, index: int) -> bool:
        """Return whether the condition of a `while` loop holds."""
        assert parameters.condition is not None
        if not parameters.condition.evaluate(context.scope):
            return False
        if index >= parameters.max_iterations:
            raise _too_many("the condition still holds after `max_iterations`", parameters)
        return True

    def gather(
        self, parameters: LoopParameters, context: NodeContext, executions: Sequence[Execution]
    ) -> Mapping[str, object]:
        """Return the results and failures, in the order of the iterations."""
        del parameters, context
        results: list[object] = []
        errors: list[Value] = []
        for each in executions:  # once: each is made where it is looked at
            results.append(None if each.error else each.result)
            if each.error is not None:
                errors.append(
                    {
                        "index": each.index,
                        "code": each.error.code,
                        "message": each.error.message,
                        "node": each.error.node,
                    }
                )
        return {"results": results, "count": len(results) - len(errors), "errors": errors}


_OF_MODE = {"for-each": "items", "times": "count", "while": "condition"}


def _items(parameters: LoopParameters, context: NodeContext) -> list[Any]:
    value = context.input if parameters.items is None else parameters.items
    if isinstance(value, list):
        return value
    if not context.has_input:
        hint: str | None = 'add `items = [...]`, or `input = "..."`'
    elif isinstance(value, dict):
        hint = 'an object has no items: `items = "{{ input | items | list }}"` makes a list of its pairs'
    else:
        hint = None
    message = f"the items must be a list, not {kind_of(value)}: {preview(value, 60)}"
    raise NodeError("LOOP-001", message, hint=hint)


def _too_many(reason: str, parameters: LoopParameters) -> NodeError:
    limit = parameters.max_iterations
    return NodeError(
        "LOOP-002", f"{reason} ({limit:,})", hint="raise `max_iterations`, if that is what you mean"
    )
