"""Tests which values a run's variables get."""

from pathlib import Path

import pytest

from atomiton_runtime.flow.model import Variable
from atomiton_runtime.flow.variables import VariablesInvalid, check_variables
from atomiton_runtime.values import Value

VARIABLES = {
    each.name: each
    for each in (
        Variable(name="text", type="string", default="a", pattern="[a-z]*", max=5),
        Variable(name="count", type="integer", default=10, min=1, max=100),
        Variable(name="ratio", type="number", default=0.5),
        Variable(name="flag", type="boolean", default=True),
        Variable(name="names", type="array", default=["a"], min=1),
        Variable(name="table", type="object", default={}),
        Variable(name="pick", type="integer", default=1, choices=(1, 2)),
    )
}
DEFAULTS = {
    "text": "a",
    "count": 10,
    "ratio": 0.5,
    "flag": True,
    "names": ["a"],
    "table": {},
    "pick": 1,
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "abc", "abc"), ("text", "", ""), ("count", "11", 11), ("count", " +7 ", 7), ("ratio", "2", 2),
        ("ratio", "1e-3", 0.001), ("flag", "false", False), ("flag", "YES", True), ("flag", "0", False),
        ("names", '["x", 1]', ["x", 1]), ("table", '{"a": null}', {"a": None}), ("pick", "2", 2),
    ],
)  # fmt: skip
def test_texts_of_a_command_line_become_values(name: str, text: str, value: Value) -> None:
    """A text becomes a value of the variable's type; the others keep their defaults."""
    assert DEFAULTS | {name: value} == check_variables(VARIABLES, {name: text}, from_text=True)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("text", Path("abc"), "abc"),
        ("count", 11, 11),
        ("ratio", 2, 2),
        ("names", ("x",), ["x"]),
        ("flag", False, False),
    ],
)
def test_values_of_a_program_are_taken_as_they_are(name: str, value: object, kept: Value) -> None:
    """A value of the right type is copied into data."""
    assert DEFAULTS | {name: kept} == check_variables(VARIABLES, {name: value}, from_text=False)


VARIABLE_FAILURES: list[tuple[str, object, bool, str, str, str | None]] = [
    ("cuont", "1", True, "VAR-011", "the flow has no variable `cuont`", "did you mean `count`?"),
    (
        "zzz", 1, False, "VAR-011", "the flow has no variable `zzz`",
        "its variables are: text, count, ratio, flag, names, table, pick",
    ),
    ("count", "ten", True, "VAR-013", "variable `count` must be an integer, not 'ten'", None),
    (
        "count", "99999999999999999999", True, "VAR-013",
        "variable `count` must be an integer, not '99999999999999999999'", None,
    ),
    ("count", "1.5", True, "VAR-013", "variable `count` must be an integer, not '1.5'", None),
    ("count", "10", False, "VAR-013", "variable `count` must be an integer, not '10'", None),
    ("count", True, False, "VAR-013", "variable `count` must be an integer, not a boolean", None),
    ("count", None, False, "VAR-013", "variable `count` must be an integer, not null", None),
    ("ratio", "inf", True, "VAR-013", "variable `ratio` must be a number, not 'inf'", None),
    ("ratio", "x", True, "VAR-013", "variable `ratio` must be a number, not 'x'", None),
    ("flag", "maybe", True, "VAR-013", "variable `flag` must be true or false, not 'maybe'", "write true or false"),
    ("names", "a,b", True, "VAR-013", "variable `names` must be a list, not 'a,b'", 'write it as JSON: \'["a", "b"]\''),
    (
        "names", "[" * 100_000, True, "VAR-013",
        f"variable `names` must be a list, not '{'[' * 39}…'", 'write it as JSON: \'["a", "b"]\'',
    ),
    ("table", "[]", True, "VAR-013", "variable `table` must be an object, not '[]'", "write it as JSON: '{\"a\": 1}'"),
    ("table", {"x": object()}, False, "VAR-013", "variable `table` must be an object, not an object", None),
    ("count", 0, False, "VAR-014", "variable `count` must be at least 1, not 0", None),
    ("count", "101", True, "VAR-014", "variable `count` must be at most 100, not 101", None),
    ("names", [], False, "VAR-014", "variable `names` must be at least 1 element, not 0", None),
    ("text", "abcdef", True, "VAR-014", "variable `text` must be at most 5 characters, not 6", None),
    ("text", "A", True, "VAR-014", 'variable `text` must match [a-z]*, which "A" does not', None),
    ("pick", 3, False, "VAR-014", "variable `pick` must be one of 1, 2, not 3", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "from_text", "code", "message", "hint"),
    VARIABLE_FAILURES,
    ids=lambda value: str(value)[:30],
)
def test_what_does_not_fit_is_refused(
    name: str, value: object, from_text: bool, code: str, message: str, hint: str | None
) -> None:
    """A value that does not fit is refused, with its name, its value and what would fit."""
    with pytest.raises(VariablesInvalid) as caught:
        check_variables(VARIABLES, {name: value}, from_text=from_text)

    assert (code, message, hint) == (caught.value.code, caught.value.message, caught.value.hint)


def test_everything_wrong_is_told_at_once() -> None:
    """All errors are carried; the message is the first one and how many follow."""
    variables = {"need": Variable(name="need", type="string", required=True, description="the source")}

    with pytest.raises(VariablesInvalid) as caught:
        check_variables(variables, {"other": 1}, from_text=False)

    assert ["VAR-011", "VAR-012"] == [error.code for error in caught.value.errors]
    assert "variable `need` is required: the source" == caught.value.errors[1].message
    assert "the flow has no variable `other` (and 1 more)" == caught.value.message


def test_flow_without_variables_says_so() -> None:
    """A flow that has no variables at all takes none."""
    with pytest.raises(VariablesInvalid) as caught:
        check_variables({}, {"other": 1}, from_text=False)

    assert "it has no variables" == caught.value.hint


def test_required_variable_without_description() -> None:
    """A required variable that is not given is told with how to give it."""
    with pytest.raises(VariablesInvalid) as caught:
        check_variables({"need": Variable(name="need", type="string", required=True)}, {}, from_text=True)

    assert "variable `need` is required" == caught.value.message
    assert "give it with `--need VALUE`, or a default in the flow" == caught.value.hint


def test_true_is_not_one() -> None:
    """A choice of numbers does not allow booleans, nor the other way round."""
    variables = {"flag": Variable(name="flag", type="boolean", default=False, choices=(1,))}

    with pytest.raises(VariablesInvalid):
        check_variables(variables, {"flag": True}, from_text=False)


def test_default_is_copied() -> None:
    """A run that changes its list does not change the flow's default."""
    values = check_variables(VARIABLES, {}, from_text=False)
    names = values["names"]
    assert isinstance(names, list)
    names.append("b")

    assert ["a"] == VARIABLES["names"].default
