"""JavaScript functions as expressions of ours: what they say, and what they give."""

import math
from typing import Any

import pytest

from atomiton_runtime.flow.expressions import Scope, compile_expression
from atomiton_runtime.importing.functions import expression_of
from atomiton_runtime.importing.pieces import Untranslatable
from atomiton_runtime.importing.texts import translated

ITEM = {
    "name": " Ada ",
    "total": 12.5,
    "count": 3,
    "active": True,
    "none": None,
    "tags": ["a", "b"],
    "address": {"city": "Bern"},
    "text": "7.5",
    "a-b": 1,
}


def value_of(expression: str, **more: Any) -> Any:
    return compile_expression(expression).evaluate(Scope({"item": ITEM, "index": 2, **more}))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("item => item.total * 2", 25.0),
        ("(row, i) => i + 1", 3),
        ("item => item.name.trim().toUpperCase()", "ADA"),
        ("item => item['a-b']", 1),
        ("item => item.address.city", "Bern"),
        ("({name, address: place}) => name.trim() + place.city", "AdaBern"),
        ("item => `${item.count}: ${item.address.city}`", "3: Bern"),
        ("item => `only`", "only"),
        ("item => ``", ""),
        ("item => `${item.count}`", "3"),
        ("item => 1 + 2 + 'a'", "3a"),
        ("item => item.missing || 'there'", "there"),
        ("item => item.none ?? 5", 5),
        ("item => item.count ?? 5", 3),
        ("item => item.none?.deep", None),
        ("item => item.address?.city", "Bern"),
        ("item => item.missing?.['x']", None),
        ("item => item.total > 10 && item.active", True),
        ("item => !(item.total > 10)", False),
        ("item => item.active === true", True),
        ("item => item.none === null", True),
        ("item => item.missing === undefined", True),
        ("item => item.missing != null", False),
        ("item => item.count !== 4", True),
        ("item => 3 == item.count", True),
        ("item => typeof item.count === 'number'", True),
        ("item => typeof item.name !== 'string'", False),
        ("item => item.count > 2 ? 'many' : 'few'", "many"),
        ("item => (2 + 3) * -item.count", -15),
        ("item => 2 ** 3", 8),
        ("item => item.count % 2", 1),
        ("item => +item.text", 7.5),
        ("item => parseFloat(item.text) + 1", 8.5),
        ("item => parseInt('12', 10)", 12),
        ("item => Number(item.text)", 7.5),
        ("item => Math.round(2.5)", 3),
        ("item => Math.round(-2.5)", -2),
        ("item => Math.floor(item.total)", 12),
        ("item => Math.ceil(item.total)", 13),
        ("item => Math.trunc(item.total)", 12),
        ("item => Math.max(1, item.count)", 3),
        ("item => Math.min(1, item.count)", 1),
        ("item => Math.abs(-2)", 2),
        ("item => Math.sqrt(9)", 3.0),
        ("item => Math.pow(2, 3)", 8),
        ("item => String(item.count)", "3"),
        ("item => Boolean(item.none)", False),
        ("item => item.tags.length", 2),
        ("item => item.tags.includes('a')", True),
        ("item => item.tags.join('-')", "a-b"),
        ("item => item.tags.join()", "a,b"),
        ("item => item.tags[1]", "b"),
        ("item => item.tags.at(-1)", "b"),
        ("item => [...item.tags, 'c']", ["a", "b", "c"]),
        ("item => [...item.tags]", ["a", "b"]),
        ("item => item.name.replace(' ', '_')", "_Ada "),
        ("item => item.name.replaceAll(' ', '')", "Ada"),
        ("item => item.name.slice(1, -1)", "Ada"),
        ("item => item.name.substring(1, 3)", "Ad"),
        ("item => item.name.charAt(1)", "A"),
        ("item => item.name.indexOf('A')", 1),
        ("item => item.name.startsWith(' A')", True),
        ("item => item.name.endsWith('x')", False),
        ("item => item.name.trimStart()", "Ada "),
        ("item => item.name.trimEnd()", " Ada"),
        ("item => 'a,b'.split(',')", ["a", "b"]),
        ("item => 'ab'.split('')", ["a", "b"]),
        ("item => 'a'.concat('b', 'c')", "abc"),
        ("item => '7'.padStart(3)", "  7"),
        ("item => item.total.toFixed(2)", "12.50"),
        ("item => JSON.stringify(item.tags)", '["a","b"]'),
        ("item => JSON.parse('[1]')", [1]),
        ("item => Object.keys(item.address)", ["city"]),
        ("item => Object.values(item.address)", ["Bern"]),
        ("item => ({ 'x y': item.count, deep: {a: 1} })", {"x y": 3, "deep": {"a": 1}}),
        ("item => [{v: 1}, {v: 2}].map(e => e.v)", [1, 2]),
        ("function (item) { const n = item.count; return n + 1; }", 4),
        ("item => { if (item.active) { return 'yes'; } else { return 'no'; } }", "yes"),
        ("item => { if (!item.active) return 1; return 2; }", 2),
        ("item.total", 12.5),
        ("return item.count;", 3),
        ("item => 'it\\'s \\u0041\\n'", "it's A\n"),
        ("item => 0x10 + 1_000", 1016),
    ],
)
def test_functions_that_have_an_equal(source: str, expected: object) -> None:
    """The expression gives, for an item, what the function gives."""
    found = value_of(expression_of(source, "map", False, []))
    assert found == expected
    assert isinstance(found, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "item => {",
        "item => {}",
        "async item => item",
        "item => fetch(item)",
        "item => other",
        "item => item.name.match(/a/)",
        "item => new Date(item)",
        "item => item.x = 1",
        "item => { for (const a of item) { } return 1; }",
        "item => { let a; return a; }",
        "item => { const [a] = item; return a; }",
        "item => ({...item, a: 1})",
        "item => ({[item.name]: 1})",
        "([a]) => a",
        "({a, ...rest}) => a",
        "(item, index, all) => all.length",
        "item => item.constructor",
        "item => ~item",
        "item => item.a & 1",
        "item => parseInt(item, 2)",
        "item => item.name.replace('a', item.b)",
        "item => item.tags.concat([1])",
        "item => item.name.padStart(item.count)",
        "item => item.name.substring(3, 1)",
        "item => item.name.charAt(item.count)",
        "item => item.total.toFixed(99)",
        "item => item.map(x => x.a + 1)",
        "item => item.name.trim(1)",
        "item => JSON.stringify(item, f)",
        "item => typeof item === 'symbol'",
        "item => 12n",
        "item => 1e301",
        "item => '\\ud800'",
        "item => '\\0'",
        "item => " + "(" * 80 + "1" + ")" * 80,
        "item => " + "!" * 80 + "1",
        "x" * 20_001,
    ],
)
def test_functions_that_have_no_equal(source: str) -> None:
    """They are refused, with a reason."""
    with pytest.raises(Untranslatable, match=r".+"):
        expression_of(source, "map", False, [])


def test_cells_are_converted() -> None:
    """Where cells may be texts, arithmetic and comparisons with numbers convert them."""
    expression = expression_of("row => row.text * 2 > 10 && row.text > 7", "filter", True, [])
    assert value_of(expression) is True


def test_sums() -> None:
    """The parameters of `reduce` are `acc` and `item`."""
    expression = expression_of("(sum, row) => sum + row.total", "reduce", False, [])
    assert math.isclose(value_of(expression, acc=1), 13.5)


def test_what_may_differ_is_noted() -> None:
    """A loose comparison and a remainder of what may be negative are translated, with a note."""
    notes: list[str] = []
    expression_of("item => item.a == item.b || item.a % 2 === 1 || item.c == 1", "filter", False, notes)
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("text", "expected", "refusals"),
    [
        ("plain", "plain", 0),
        ("{{$now}}", "{{ now }}", 0),
        ("a {{ $json.name }}", "a {{ input.name }}", 0),
        ("${vars.who}!", "{{ vars.who }}!", 0),
        ("${HOME}", "${HOME}", 1),
        ("{{ what is this }}", "{{ '\\x7b\\x7b what is this \\x7d\\x7d' }}", 1),
        ("{% if %}", "{{ '{%' }} if %}", 0),
        (None, "{{ none }}", 0),
        ([1, {"a": "{{ item }}"}], [1, {"a": "{{ item }}"}], 0),
    ],
)
def test_texts(text: Any, expected: object, refusals: int) -> None:
    """Templates are translated; what only looks like one of ours stays text."""
    refused: list[str] = []
    assert translated(text, refused) == expected
    assert len(refused) == refusals
