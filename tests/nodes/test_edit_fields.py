"""Fields are set on objects, and only on objects."""

from pathlib import Path
from typing import Any

import pytest

from tests.doubles.attempts import executed, failure


@pytest.mark.parametrize(
    ("value", "written", "expected"),
    [
        (None, {"values": {"a": 1}}, {"a": 1}),
        ({"a": 1, "b": 2}, {"values": {"a": "{{ input.b }}"}}, {"a": 2, "b": 2}),
        ({"a": {"x": 1}}, {"values": {"a": {"y": 2}}}, {"a": {"y": 2}}),
        ({"a": 1}, {"values": {"b": "{{ none }}"}, "keep_only_set": True}, {"b": None}),
        ({"a": 1}, {"values": {}}, {"a": 1}),
    ],
)
def test_merge(value: Any, written: dict[str, Any], expected: dict[str, Any]) -> None:
    """The fields of `values` replace those of the input, whole."""
    assert executed("edit-fields", Path(), value, **written) == {"result": expected}


@pytest.mark.parametrize("value", [[], "text", 1, True, b"x"])
def test_only_objects_have_fields(value: Any) -> None:
    """Any other input is refused with what to do instead; unless nothing of it is to be kept."""
    error = failure("edit-fields", Path(), value, values={})

    assert executed("edit-fields", Path(), value, values={"a": 1}, keep_only_set=True) == {"result": {"a": 1}}

    assert error.code == "DATA-001"
    assert error.hint
