"""Parameters are checked in words, all at once, and templates fit everywhere."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from atomiton_runtime.flow.expressions import Expression, compile_expression, compile_template
from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.parameters import shape_of
from atomiton_runtime.nodes.scalars import Duration, Size, read_scalar
from atomiton_runtime.nodes.type_check import misfits
from tests.doubles.attempts import complaints, node_type

LATER = compile_template("{{ vars.x }}")


class Everything(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter of each kind."""

    number: Annotated[int, Meta(ge=1, le=10)] = 1
    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    flag: bool = False
    word: Annotated[str, Meta(min_length=1, max_length=3, pattern="^[a-z]")] = "a"
    choice: Literal["asc", "desc"] = "asc"
    names: Annotated[list[str], Meta(max_length=2)] | None = None
    mixed: tuple[str | int, ...] = ()
    table: dict[str, int] = {}
    expression: Expression | None = None
    pause: Duration = Duration(1)
    size: Size = Size(1)
    anything: Any = None


SHAPE = shape_of(Everything)
CASES = [
    ({"number": "3"}, '`number` must be an integer, not the text "3"'),
    ({"number": True}, "`number` must be an integer, not true"),
    ({"number": 1.5}, "`number` must be an integer, not the number 1.5"),
    ({"number": 11}, "`number` must be 10 or less, not the integer 11"),
    ({"ratio": 0}, "`ratio` must be more than 0, not the integer 0"),
    ({"ratio": float("nan")}, "`ratio` must be more than 0, not the number nan"),
    ({"flag": 1}, "`flag` must be true or false, not the integer 1"),
    ({"word": ""}, "`word` must have the form ^[a-z], not an empty text"),
    ({"word": "abcd"}, "`word` must have at most 3 characters, but has 4"),
    ({"choice": "dsc"}, '`choice` must be "asc" or "desc", not the text "dsc"'),
    ({"names": "a"}, '`names` must be a list, not the text "a"'),
    ({"names": ["a", 2]}, "`names[1]` must be text, not the integer 2"),
    ({"names": ["a", "b", "c"]}, "`names` must have at most 2 entries, but has 3"),
    ({"mixed": ["a", 1.0]}, "`mixed[1]` must be text or an integer, not the number 1.0"),
    ({"mixed": ["a", None]}, "`mixed[1]` must be text or an integer, not null"),
    ({"table": {"a": "x"}}, '`table.a` must be an integer, not the text "x"'),
    ({"expression": "a.b"}, '`expression` must be an expression, not the text "a.b"'),
    ({"pause": "soon"}, '`pause` must be a duration, such as 30 or "1h30m", not the text "soon"'),
    ({"size": []}, '`size` must be a size, such as 4096 or "10MiB", not a list'),
    ({"nmber": 1}, "there is no parameter `nmber`"),
]


@pytest.mark.parametrize(("written", "message"), CASES, ids=str)
def test_a_misfit_is_told_in_words(written: dict[str, Any], message: str) -> None:
    """A complaint names the place, what belongs there and what is there."""
    assert [complaint.message for complaint in misfits(SHAPE, written)] == [message]


def test_all_misfits_are_told_at_once() -> None:
    """Every wrong place is complained about, with its path and a hint where one is near."""
    found = misfits(SHAPE, {"number": "x", "choice": "dsc", "names": [1, "a", 2]})

    assert [(complaint.path, complaint.hint) for complaint in found] == [
        (("number",), None),
        (("choice",), "did you mean `desc`?"),
        (("names", 0), None),
        (("names", 2), None),
    ]


@pytest.mark.parametrize("name", list(Everything.__struct_fields__))
def test_a_template_fits_everywhere(name: str) -> None:
    """A value that is known only when the node runs is no misfit, at any depth."""
    inside: dict[str, Any] = {"names": [LATER, "a"], "table": {"a": LATER}, "mixed": [LATER, 1]}

    assert misfits(SHAPE, {name: LATER}) == []
    assert misfits(SHAPE, {name: inside[name]} if name in inside else {}) == []


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=2)
NESTED = st.recursive(
    PLAIN | st.sampled_from(["asc", "1h", "1KiB", compile_expression("item")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(written=st.dictionaries(st.sampled_from(Everything.__struct_fields__), NESTED, max_size=3))
def test_the_words_agree_with_msgspec(written: dict[str, Any]) -> None:
    """What has no misfit converts, and what has one does not."""
    try:
        msgspec.convert(written, Everything, dec_hook=read_scalar)
        converts = True
    except msgspec.ValidationError:
        converts = False
    # An expression in the place of a text is a value known later to the one and a stranger to the other.
    if not any(isinstance(value, Expression) for value in _flat(written)):
        assert (misfits(SHAPE, written) == []) == converts


def _flat(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(each for entry in inner for each in _flat(entry))]


def test_prepare_names_parameter_and_value() -> None:
    """A rendered value that does not fit is an error of the attempt, told as the check tells it."""
    with pytest.raises(NodeError) as caught:
        node_type("transform").prepare({"operation": "limit", "count": "3"})

    assert (caught.value.code, str(caught.value)) == (
        "PARAM-002",
        '`count` must be an integer, not the text "3"',
    )


def test_scalars_are_read() -> None:
    """Durations and sizes arrive as numbers."""
    read = msgspec.convert({"pause": "1m30s", "size": "2KiB"}, Everything, dec_hook=read_scalar)

    assert (read.pause, read.size) == (90.0, 2048)


@pytest.mark.parametrize(
    ("name", "toml", "expected"),
    [
        ("transform", 'operation = "map"', ["`map` needs `expression`"]),
        ("transform", 'operation = "limit"\ncount = 1\nkey = "x"', ["`limit` does not use `key`"]),
        ("transform", 'operation = "{{ vars.x }}"', []),
        ("transform", 'operation = "limit"\ncount = "{{ vars.n }}"', []),
        ("file-system", 'operation = "copy"\npath = "a"', ["`copy` needs `target`"]),
        (
            "file-system",
            'operation = "read"\npath = "a"\nencoding = "utf-9"',
            ['there is no encoding "utf-9"'],
        ),
        (
            "file-system",
            'operation = "read"\npath = "a"\nencoding = "rot13"',
            ['there is no encoding "rot13"'],
        ),
        ("file-system", 'operation = "read"\npath = "a"\ncontent = "x"', ["`read` does not use `content`"]),
    ],
)
def test_parameters_must_fit_together(name: str, toml: str, expected: list[str]) -> None:
    """What one operation needs or does not use is said when the flow is loaded."""
    assert [complaint.message for complaint in complaints(name, toml)] == expected
