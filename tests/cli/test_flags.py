from collections.abc import Sequence

import click
import pytest

from atomiton_runtime.cli import flags
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Variable
from atomiton_runtime.flow.variables import VariablesInvalid
from atomiton_runtime.values import Value


def variables(*declared: Variable) -> dict[str, Variable]:
    return {variable.name: variable for variable in declared}


def typed(
    declared: dict[str, Variable], arguments: Sequence[str], pairs: Sequence[str] = ()
) -> dict[str, Value]:
    """Return the variables that these arguments give another value than the default."""
    own = [click.Option(["--json"], is_flag=True), click.Option(["--help"], is_flag=True)]
    command = click.Command("run", params=[*own, *flags.options(declared, ["--json", "--help"]).values()])
    with command.make_context("run", list(arguments)) as ctx:
        values = flags.given_values(ctx, declared, pairs)
    return {name: value for name, value in values.items() if value != declared[name].default}


ALL = variables(
    Variable(name="who", type="string", default="World"),
    Variable(name="limit", type="integer", default=10, min=1, max=1000, description="rows at most"),
    Variable(name="max_size", type="number", default=1.5),
    Variable(name="loud", type="boolean", default=False),
    Variable(name="tags", type="array", default=[]),
    Variable(name="where", type="object", default={}),
    Variable(name="json", type="string", default=""),
    Variable(name="odd name", type="string", default=""),
)


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ([], {}),
        (["--who", "you"], {"who": "you"}),
        (["--who="], {"who": ""}),
        (["--limit", "5"], {"limit": 5}),
        (["--max-size", "-2"], {"max_size": -2}),
        (["--max_size", "2.5e3"], {"max_size": 2500.0}),
        (["--loud"], {"loud": True}),
        (["--loud", "--no-loud"], {}),
        (["--tags", '["a", 1]'], {"tags": ["a", 1]}),
        (["--where", '{"a": null}'], {"where": {"a": None}}),
        (["--who", "a", "--who", "b"], {"who": "b"}),
    ],
)
def test_flags(arguments: list[str], given: dict[str, Value]) -> None:
    """A flag gives a value of its variable's type; a variable that is not set is not given."""
    assert typed(ALL, arguments) == given


@pytest.mark.parametrize(
    ("pair", "given"),
    [
        ("json=x", {"json": "x"}),
        ("odd name=y=z", {"odd name": "y=z"}),
        ("who=", {"who": ""}),
        ("limit=3", {"limit": 3}),
        ("loud=yes", {"loud": True}),
        ("loud=0", {}),
    ],
)
def test_var_sets_whatever_the_name_is(pair: str, given: dict[str, Value]) -> None:
    """`--var` reaches variables whose names are taken or cannot be flags."""
    assert typed(ALL, [], [pair]) == given


def test_var_wins() -> None:
    """A variable that is set twice has the value of `--var`."""
    assert typed(ALL, ["--who", "flag"], ["who=var"]) == {"who": "var"}


def test_what_does_not_fit_is_named_all_at_once() -> None:
    """Every name and value that does not fit is an error of its own."""
    with pytest.raises(VariablesInvalid) as raised:
        typed(ALL, ["--limit", "many", "--max-size", "big"], ["wo=x", "tags={}", "loud=maybe"])
    assert {error.code for error in raised.value.errors} == {"VAR-011", "VAR-013"}
    assert len(raised.value.errors) == 5


def test_a_pair_needs_a_value() -> None:
    """`--var NAME` alone is an error that shows how to write it."""
    with pytest.raises(UsageError, match="has no value") as raised:
        typed(ALL, [], ["who"])
    assert raised.value.code == "CLI-003"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limt", "3"], "No such option"),
        (["--limit"], "requires"),
    ],
)
def test_wrong_flags(arguments: list[str], message: str) -> None:
    """A wrong flag is a usage error."""
    with pytest.raises(click.UsageError, match=message):
        typed(ALL, arguments)


def test_no_flag_hides_another() -> None:
    """Of `x` and `no_x` each keeps a way to be set, and none takes a flag of the command."""
    declared = variables(
        Variable(name="cache", type="boolean", default=True),
        Variable(name="no_cache", type="string", default=""),
        Variable(name="help", type="boolean", default=False),
    )
    names = [
        name
        for option in flags.options(declared, ["--help"]).values()
        for name in (*option.opts, *option.secondary_opts)
    ]
    assert len(names) == len(set(names))
    assert "--help" not in names
    assert typed(declared, ["--no-cache"], ["no_cache=x", "help=true"]) == {
        "cache": False,
        "no_cache": "x",
        "help": True,
    }


@pytest.mark.parametrize(
    ("variable", "flag", "shown"),
    [
        (ALL["limit"], "--limit INTEGER", "rows at most  [default: 10; 1 to 1000]"),
        (ALL["who"], "--who TEXT", "[default: World]"),
        (ALL["json"], "--var json=TEXT", '[default: ""]'),
        (
            Variable(name="x", type="string", required=True, pattern="[a-z]+"),
            "--x TEXT",
            "[required; matches [a-z]+]",
        ),
        (
            Variable(name="x", type="string", default="a", choices=("a", "b")),
            "--x TEXT",
            "[default: a; one of: a, b]",
        ),
        (
            Variable(name="x", type="array", default=[], min=1),
            "--x JSON",
            "[default: []; at least 1 elements]",
        ),
        (Variable(name="x", type="boolean", default=True), "--x / --no-x", "[default: true]"),
    ],
)
def test_help(variable: Variable, flag: str, shown: str) -> None:
    """The help of a flag says what is known of its variable."""
    with click.Context(click.Command("run")) as ctx:
        (record,) = flags.help_records(ctx, variables(variable), ["--json"])
    assert record == (flag, shown)
