"""Tests what expressions and templates give, and how they fail."""

import sys
import threading
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow import code, program
from atomiton_runtime.flow.data import plain_value
from atomiton_runtime.flow.expressions import (
    Expression,
    ExpressionFailed,
    Scope,
    Template,
    compile_expression,
    compile_template,
    compile_templates,
    render,
)
from atomiton_runtime.flow.names import Use
from tests.flow.cases import EXPRESSION_FAILURES, EXPRESSIONS, SCOPE, TEMPLATE_FAILURES, TEMPLATES


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS, ids=str)
def test_expression_gives_its_value(text: str, expected: object) -> None:
    """An expression gives this value, of this type."""
    value = compile_expression(text).evaluate(SCOPE)

    assert (expected, type(expected)) == (value, type(value))


@pytest.mark.parametrize(("text", "expected"), TEMPLATES, ids=str)
def test_template_gives_its_value(text: str, expected: object) -> None:
    """A template gives this value, of this type."""
    template = compile_template(text)

    assert isinstance(template, Template)
    assert (expected, type(expected)) == (template.render(SCOPE), type(template.render(SCOPE)))


@pytest.mark.parametrize(
    ("text", "code", "reason", "hint"), EXPRESSION_FAILURES, ids=lambda text: str(text)[:40]
)
def test_expression_fails_with_a_reason(text: str, code: str, reason: str, hint: str | None) -> None:
    """An expression that is wrong, now or with these values, says why; nothing takes its place."""
    with pytest.raises(ExpressionFailed) as caught:
        compile_expression(text).evaluate(SCOPE)

    assert (code, reason, hint) == (caught.value.code, caught.value.reason, caught.value.hint)
    assert caught.value.expression == text


@pytest.mark.parametrize(("text", "code", "reason"), TEMPLATE_FAILURES, ids=lambda text: str(text)[:40])
def test_template_fails_with_a_reason(text: str, code: str, reason: str) -> None:
    """A template that is wrong, now or with these values, says why."""
    with pytest.raises(ExpressionFailed) as caught:
        render(compile_template(text), SCOPE)

    assert (code, reason) == (caught.value.code, caught.value.reason)


@pytest.mark.parametrize("text", ["plain", "", "a { b } }}", "${#list[@]}", "{# no comment #}"])
def test_text_without_braces_stays_a_text(text: str) -> None:
    """A text without `{{` and `{%` is no template."""
    assert text == compile_template(text)


def test_failure_names_parameter_and_item() -> None:
    """A failure says which parameter and item it is about, once somebody told it."""
    with pytest.raises(ExpressionFailed) as caught:
        compile_expression("item.nmae").evaluate(Scope({"item": {"name": 1}}))

    failure = caught.value.at(item_index=3).at(parameter="expression")

    expected = "`expression`, item 3, expression `item.nmae`: the object has no key `nmae`"
    assert expected == str(failure)
    assert ("expression", 3, "did you mean `name`?") == (failure.parameter, failure.item_index, failure.hint)


def test_render_names_the_place_of_the_failure() -> None:
    """A template deep in the parameters is found by its place."""
    value = compile_templates({"values": {"list": [1, ["{{ input.gone }}!"]]}, "plain": True})

    with pytest.raises(ExpressionFailed) as caught:
        render(value, SCOPE)

    assert caught.value.parameter == "values.list[1][0]"


def test_render_gives_a_fresh_copy() -> None:
    """What is rendered shares nothing with what it came from, and expressions stay as they are."""
    numbers = [1, 2]
    expression = compile_expression("item")
    value = {"a": ["{{ input }}", "{{ input }}"], "b": 1, "c": "text"}
    templated = {**compile_templates(value), "d": expression}  # type: ignore[dict-item]  # a test's freedom

    rendered = render(templated, Scope({"input": numbers}))

    assert rendered == {"a": [[1, 2], [1, 2]], "b": 1, "c": "text", "d": expression}
    rendered["a"][0].append(3)  # type: ignore[index]  # as above
    assert numbers == [1, 2]
    assert rendered["a"][1] == [1, 2]  # type: ignore[index]  # as above


def test_child_scope_hides_names_of_its_parent() -> None:
    """A child scope adds and hides names; its parent stays as it was."""
    parent = Scope({"item": 1, "vars": {}})
    child = parent.child(item=2, index=0)

    assert compile_expression("[item, index]").evaluate(child) == [2, 0]
    assert compile_expression("item").evaluate(parent) == 1


def test_compiled_texts_compare_by_their_text() -> None:
    """Expressions and templates are equal when their texts are, so that flows can be compared."""
    assert compile_expression("item.a") == compile_expression("item.a")
    assert compile_expression("item.a") != compile_expression("item.b")
    assert compile_template("{{ item }}") != compile_expression("item")
    assert len({compile_template("{{ item }}"), compile_template("{{ item }}")}) == 1
    assert repr(compile_expression("item.a")) == "Expression('item.a')"


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("item.total > vars.limit", [Use("item", "total"), Use("vars", "limit")]),
        ("vars['limit'] + vars.other + vars.limit", [Use("vars", "other"), Use("vars", "limit")]),
        ("range(index)", [Use("index", None)]),
        ("input", [Use("input", None)]),
    ],
    ids=str,
)
def test_expression_lists_the_names_it_uses(text: str, uses: list[Use]) -> None:
    """The loader knows every name, and the keys taken of it."""
    assert set(uses) == set(compile_expression(text).uses)


def test_template_does_not_list_the_names_it_sets() -> None:
    """Names of `for` and `set` are a template's own."""
    template = compile_template(
        "{% set a = vars.x %}{% for b in input %}{{ a }}{{ b }}{{ loop.index }}{% endfor %}"
    )

    assert isinstance(template, Template)
    assert set(template.uses) == {Use("vars", "x"), Use("input", None)}


NAMES = st.sampled_from(["a", "b", "items", "x_1"])
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab{}\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(
    data=DATA, path=st.lists(NAMES, max_size=3), literals=st.tuples(st.text("x }\r\n"), st.text("y }\r\n"))
)
def test_plain_names_mean_what_jinja_says(data: object, path: list[str], literals: tuple[str, str]) -> None:
    """The short way for plain names and the way through Jinja give the same, value or failure."""
    name = ".".join(["input", *path])
    plain, through_jinja = (
        f"{literals[0]} {{{{ {name} }}}}{literals[1]}",
        f"{literals[0]} {{{{ ({name}) }}}}{literals[1]}",
    )

    assert _outcome(plain, data) == _outcome(through_jinja, data)
    assert _outcome(f"{{{{ {name} }}}}", data) == _outcome(f"{{{{ ({name}) }}}}", data)


def _outcome(text: str, data: object) -> object:
    try:
        return render(compile_template(text), Scope({"input": data}))
    except ExpressionFailed as failure:
        return (failure.code, failure.reason)


@given(text=st.text("item.ab01 +-*/()[]{}'\"|%~<>=!,:\\\n", max_size=30) | st.text(max_size=20))
def test_no_text_breaks_the_compiler(text: str) -> None:
    """Whatever is written, the answer is a value or an `ExpressionFailed`."""
    for attempt in (
        lambda: compile_expression(text),
        lambda: compile_template(f"{{{{{text}}}}}"),
        lambda: compile_template(text),
    ):
        try:
            compiled = attempt()
            if isinstance(compiled, Expression):
                compiled.evaluate(SCOPE)
            else:
                render(compiled, SCOPE)
        except ExpressionFailed:
            pass


def test_deep_values_fail_instead_of_ending_the_process() -> None:
    """A value nested deeper than Python's stack is an error like any other."""
    deep: object = 1
    for _ in range(sys.getrecursionlimit()):
        deep = [deep]

    with pytest.raises(ExpressionFailed) as caught:
        compile_expression("input").evaluate(Scope({"input": deep}))

    assert caught.value.code == "EXPR-005"


def test_lack_of_memory_is_a_failure() -> None:
    """An allocation that fails is told as one."""
    assert program.refusal_of(MemoryError()).code == "EXPR-005"
    assert program.refusal_of(OSError()).reason == "OSError"


def test_mappings_of_any_class_are_objects() -> None:
    """The environment, for one, is no dict."""
    scope = Scope({"env": MappingProxyType({"HOME": "/root"})})

    assert compile_expression("env.HOME").evaluate(scope) == "/root"
    assert compile_expression("env").evaluate(scope) == {"HOME": "/root"}


def test_what_is_no_data_does_not_leave_an_expression() -> None:
    """A value of Python that is no data fails, whatever it is."""
    with pytest.raises(ExpressionFailed, match="a complex is not data"):
        compile_expression("input").evaluate(Scope({"input": 1j}))


def test_text_of_another_class_becomes_a_plain_one() -> None:
    """A text whose class is not str leaves as str."""

    class Marked(str):
        __slots__ = ()

    assert type(plain_value(Marked("a"))) is str
    assert compile_expression("input.upper()").evaluate(Scope({"input": Marked("a")})) == "A"
    assert compile_expression("input ~ '!'").evaluate(Scope({"input": Marked("a")})) == "a!"


def test_one_program_serves_many_threads() -> None:
    """Threads that meet a program before its code exists all get the right value."""
    expression = compile_expression("item * 2 + 1 - 0")
    values: dict[int, object] = {}

    def evaluate(number: int) -> None:
        values[number] = expression.evaluate(Scope({"item": number}))

    threads = [threading.Thread(target=evaluate, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert values == {number: number * 2 + 1 for number in range(16)}


def test_sandbox_refuses_to_call_what_slipped_through() -> None:
    """Even a tree that was not checked calls no function of Python."""
    tree = code.parse_expression("input()")

    with pytest.raises(Exception, match="cannot be called"):
        code.compile_value(tree)({"input": print})
