"""Parses expressions and templates with Jinja2, and makes functions of their trees."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from atomiton_runtime.flow.limits import Refused, check_length
from atomiton_runtime.flow.sandbox import SANDBOX, VISITED, Evaluation, KeyMissing

_RESULT = "_result"
_SIGNS = {
    "\\udc0d": "\\r",
    "end of print statement": "}}",
    "end of statement block": "%}",
    "end of template": "end",
}


def parse_expression(text: str) -> nodes.Template:
    """Return the tree of a bare expression.

    Raises:
        jinja2.TemplateSyntaxError: it is not one.
    """
    parser = Parser(SANDBOX, text, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        parser.fail(f"unexpected {parser.stream.current.value!r} after the expression")
    return _keeping(expression)


def parse_template(text: str) -> tuple[nodes.Template, bool]:
    """Return the tree of a template, and whether it is exactly one `{{ expression }}`.

    Raises:
        jinja2.TemplateSyntaxError: it is not one.
    """
    # Jinja turns every CR LF into LF; a surrogate, which no TOML text has, carries the CR past it.
    tree = SANDBOX.parse(text.replace("\r", "\udc0d"))
    for data in tree.find_all(nodes.TemplateData) if "\r" in text else ():
        data.data = data.data.replace("\udc0d", "\r")
    match tree.body:
        case [nodes.Output(nodes=[nodes.Expr() as only])] if not isinstance(only, nodes.TemplateData):
            return _keeping(only), True
        case _:
            return tree, False


def _keeping(expression: nodes.Expr) -> nodes.Template:
    keep = nodes.Assign(nodes.Name(_RESULT, "store", lineno=1), expression, lineno=1)
    tree = nodes.Template([keep], lineno=1)
    tree.set_environment(SANDBOX)
    return tree


def compile_value(tree: nodes.Template) -> Callable[[Mapping[str, object]], object]:
    """Return the function that gives the value of a bare expression from the names; changes `tree`."""
    root = _root(tree)

    def value(names: Mapping[str, object]) -> object:
        evaluation = Evaluation(names)
        next(root(evaluation), None)  # the tree holds no output: the code runs to its end
        return evaluation.vars[_RESULT]

    return value


def compile_text(tree: nodes.Template) -> Callable[[Mapping[str, object]], object]:
    """Return the function that gives the text of a template from the names; changes `tree`."""
    root = _root(tree)

    def text(names: Mapping[str, object]) -> object:
        pieces: list[str] = []
        length = 0
        for piece in root(Evaluation(names)):
            pieces.append(piece)
            length += len(piece)
            check_length(length, "the text")
        return "".join(pieces)

    return text


def _root(tree: nodes.Template) -> Callable[[Evaluation], Iterator[str]]:
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, VISITED, [], [], None, None, lineno=1)
    tree.set_environment(SANDBOX)
    names: dict[str, Any] = {"environment": SANDBOX, "__file__": "<expression>"}
    exec(SANDBOX.compile(tree), names)
    return names["root"]


def _in_signs(message: str) -> str:
    """Return a message of Jinja's parser with what is written for what Jinja calls it."""
    for name, sign in _SIGNS.items():
        message = message.replace(name, sign)
    return message.rstrip(".")


def reason_of(error: Exception) -> Refused | None:
    """Return why an evaluation failed if Jinja says so, in our words; None: it is nothing of Jinja's."""
    match error:
        case KeyMissing():
            return error.refusal
        case TemplateSyntaxError():
            return Refused("EXPR-001", _in_signs(error.message or "it is not understood"))
        case TemplateError():
            return Refused("EXPR-003", str(error))
        case _:
            return None
