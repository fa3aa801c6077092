"""What a save executes, over a whole runtime: what has changed, and nothing else."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.doubles.saving import Studio, executed, statuses

MAKES = 'type = "edit-fields"\nkeep_only_set = true\n'


@pytest.fixture(params=["memory", "sqlite", "files"])
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    """A flow over each engine."""
    storage = "memory:" if request.param == "memory" else f"{request.param}:///{tmp_path / 'store'}"
    with Studio(tmp_path, storage) as started:
        yield started


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Studio]:
    """A flow over an engine in memory."""
    with Studio(tmp_path) as started:
        yield started


def chain(
    *,
    head: str = "",
    a: str = "values = { x = 1 }",
    b: str = 'values = { y = "{{ input.x }}" }',
    save: str = 'path = "out.json"',
    names: str = "",
) -> str:
    """Return a flow of three nodes that follow each other; the last one writes `out.json`."""
    return f"""
{head}
[nodes.a]
{MAKES}{a}
[nodes.b]
input = "a"
{MAKES}{b}
[nodes.save]
type = "file-system"
operation = "write"
input = "b"
{save}
{names}
"""


VARS = "[variables]\nused = 1\nunused = 1\n"
USES = 'values = { x = "{{ vars.used }}" }'


class Edit(NamedTuple):
    """One change of a flow, and what it executes."""

    before: str
    after: str
    executes: set[str]
    then: frozenset[str] = frozenset()
    """What another save without a change executes."""


EDITS: dict[str, Edit] = {
    "nothing": Edit(chain(), chain(), set()),
    "a parameter": Edit(chain(), chain(a="values = { x = 2 }"), {"a", "b", "save"}),
    "a template that gives the same": Edit(chain(), chain(a='values = { x = "{{ 1 }}" }'), set()),
    "a parameter in the middle": Edit(chain(), chain(b="values = { y = 2 }"), {"b", "save"}),
    "a parameter of what writes": Edit(chain(), chain(save='path = "new.json"'), {"save"}),
    "an integer that becomes a decimal": Edit(chain(), chain(a="values = { x = 1.0 }"), {"a", "b", "save"}),
    "an integer that becomes a text": Edit(chain(), chain(a='values = { x = "1" }'), {"a", "b", "save"}),
    "an integer that becomes true": Edit(chain(), chain(a="values = { x = true }"), {"a", "b", "save"}),
    "a variable that is used": Edit(
        chain(head=VARS, a=USES),
        chain(head=VARS.replace("used = 1", "used = 2", 1), a=USES),
        {"a", "b", "save"},
    ),
    "a variable that is not used": Edit(
        chain(head=VARS, a=USES), chain(head=VARS.replace("unused = 1", "unused = 2"), a=USES), set()
    ),
    "a description and a name": Edit(
        chain(),
        chain(head='name = "N"\ndescription = "D"', a='values = { x = 1 }\nname = "N"\ndescription = "D"'),
        set(),
    ),
    "a flow's name that is used": Edit(
        chain(head='name = "N"', a='values = { x = "{{ flow.name }}" }'),
        chain(head='name = "M"', a='values = { x = "{{ flow.name }}" }'),
        {"a", "b", "save"},
    ),
    "comments and form": Edit(chain(), chain(head="# hello", a="  values.x  =  1 # the same\n"), set()),
    "the order of keys within a value": Edit(
        chain(a="values = { x = 1, z = 2 }"), chain(a="values = { z = 2, x = 1 }"), {"a", "b"}
    ),
    "settings, timeouts and retries": Edit(
        chain(),
        chain(head="[settings]\nmax_parallel = 2", a="values = { x = 1 }\ntimeout = 9\nretry = 2"),
        set(),
    ),
    "a node more": Edit(chain(), chain(names=f"[nodes.c]\n{MAKES}values = {{}}"), {"c"}),
    "order alone": Edit(
        chain(names=f"[nodes.c]\n{MAKES}values = {{}}"),
        chain(names=f'[nodes.c]\nafter = "b"\n{MAKES}values = {{}}'),
        set(),
    ),
    "a condition that stays true": Edit(
        chain(b="values = { y = 1 }\nwhen = 'true'"), chain(b="values = { y = 1 }\nwhen = '1 == 1'"), set()
    ),
    "a condition that becomes false": Edit(
        chain(b="values = { y = 1 }\nwhen = 'true'"), chain(b="values = { y = 1 }\nwhen = 'false'"), set()
    ),
    "a condition that becomes true": Edit(
        chain(b="values = { y = 1 }\nwhen = 'false'"),
        chain(b="values = { y = 1 }\nwhen = 'true'"),
        {"b", "save"},
    ),
    "the time": Edit(
        chain(a='values = { x = "{{ now }}" }'),
        chain(a='values = { x = "{{ now }}" }'),
        {"a", "b", "save"},
        {"a", "b", "save"},
    ),
    "the run": Edit(
        chain(a='values = { x = "{{ run.id }}" }'),
        chain(a='values = { x = "{{ run.id }}" }'),
        {"a", "b", "save"},
        {"a", "b", "save"},
    ),
    "the time, same result": Edit(
        chain(a="values = { x = \"{{ now > '2000' }}\" }"),
        chain(a="values = { x = \"{{ now > '2000' }}\" }"),
        set(),
    ),
    "what must never be reused": Edit(
        chain(save='path = "out.json"\nreuse = "never"'),
        chain(save='path = "out.json"\nreuse = "never"'),
        {"save"},
        {"save"},
    ),
    "what is kept, and changed": Edit(
        chain(a='values = { x = 1 }\nreuse = "always"'),
        chain(a='values = { x = 2 }\nreuse = "always"'),
        {"a", "b", "save"},
    ),
    "all of it": Edit(
        chain(head='[settings]\non_save = "all"'),
        chain(head='[settings]\non_save = "all"'),
        {"a", "b", "save"},
        {"a", "b", "save"},
    ),
    "all of it, but for what is kept": Edit(
        chain(head='[settings]\non_save = "all"', a='values = { x = 1 }\nreuse = "always"'),
        chain(head='[settings]\non_save = "all"', a='values = { x = 1 }\nreuse = "always"'),
        {"b", "save"},
        {"b", "save"},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_executes_what_it_changes(memory: Studio, name: str) -> None:
    """And what comes after that if its result is another; a save without a change executes nothing more."""
    edit = EDITS[name]
    first = memory.save(edit.before)
    assert first.status == "succeeded", first.error

    assert executed(memory.save(edit.after)) == edit.executes
    assert executed(memory.save()) == edit.then


SAME = """
[nodes.a]
type = "transform"
operation = "map"
data = [1, 2]
expression = "EXPRESSION"
[nodes.save]
type = "file-system"
operation = "write"
path = "out.json"
input = "a"
"""


def test_the_same_result_executes_nothing_more(studio: Studio) -> None:
    """Also not what writes: it has begun when it finds that its own execution was the last."""
    studio.save(SAME.replace("EXPRESSION", "item + 1"))

    assert executed(studio.save(SAME.replace("EXPRESSION", "1 + item"))) == {"a"}
    assert executed(studio.save()) == set()
    assert executed(studio.save(SAME.replace("EXPRESSION", "item + 2"))) == {"a", "save"}


# -- inputs ------------------------------------------------------------------------------------------------------

TAKES = f"""
[nodes.a]
{MAKES}values = {{ x = 1 }}
[nodes.same]
{MAKES}values = {{ x = 1 }}
[nodes.other]
{MAKES}values = {{ x = 2 }}
[nodes.take]
{MAKES}values = {{ got = "{{{{ input }}}}" }}
input = TAKEN
"""
WIRINGS = [
    ('"a"', '"same"', set()),
    ('"a"', '"other"', {"take"}),
    ('"a"', '["a"]', {"take"}),
    ('["a"]', '["same"]', set()),
    ('["a", "other"]', '["other", "a"]', {"take"}),
    ('["a"]', '{ k = "a" }', {"take"}),
    ('{ k = "a" }', '{ k = "same" }', set()),
    ('{ k = "a" }', '{ other = "a" }', {"take"}),
]


@pytest.mark.parametrize(("before", "after", "executes"), WIRINGS)
def test_an_input_counts_by_its_value_and_its_shape(
    memory: Studio, before: str, after: str, executes: set[str]
) -> None:
    """Wherever it comes from."""
    text = TAKES.replace('values = { got = "{{ input }}" }', 'values = { got = "{{ [input] }}" }')
    memory.save(text.replace("TAKEN", before))

    assert executed(memory.save(text.replace("TAKEN", after))) == executes


# -- the outside ---------------------------------------------------------------------------------------------------

READS = f"""
[nodes.read]
type = "file-system"
operation = "read"
path = "in.txt"
[nodes.take]
{MAKES}values = {{ got = "{{{{ input }}}}" }}
input = "read"
"""


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def same(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def another(path: Path) -> None:
    path.write_text("another")


@pytest.mark.parametrize(("change", "executes"), [(touch, set()), (same, set()), (another, {"read", "take"})])
def test_a_file_that_is_read_counts_by_its_content(
    memory: Studio, change: Callable[[Path], None], executes: set[str]
) -> None:
    """Not by its times."""
    path = memory.path("in.txt")
    path.write_text("one")
    memory.save(READS)
    change(path)

    assert executed(memory.save()) == executes
    assert executed(memory.save()) == set()


def test_a_file_whose_node_gives_the_same(memory: Studio) -> None:
    """Only the node that reads it is executed."""
    memory.path("in.txt").write_text("one")
    text = READS.replace('values = { got = "{{ input }}" }', 'values = { got = "{{ input }}" }').replace(
        'input = "read"', 'input = "read.size_bytes"'
    )
    memory.save(text)
    memory.path("in.txt").write_text("two")

    assert executed(memory.save()) == {"read"}


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("change", "executes"), [(touch, set()), (same, set()), (another, {"save"}), (gone, {"save"})]
)
def test_what_was_written_must_still_be_there(
    studio: Studio, change: Callable[[Path], None], executes: set[str]
) -> None:
    """As it was left: deleted or changed by somebody, it is written again."""
    studio.save(chain())
    change(studio.path("out.json"))

    assert executed(studio.save()) == executes
    assert executed(studio.save()) == set()
    assert "1" in studio.path("out.json").read_text()


def test_what_was_changed_and_restored_stands(memory: Studio) -> None:
    """Nobody could tell that it was something else."""
    memory.save(chain())
    content = memory.path("out.json").read_bytes()
    memory.path("out.json").write_text("wrong")
    memory.path("out.json").write_bytes(content)

    assert executed(memory.save()) == set()


def test_a_write_that_another_has_overwritten_is_repeated(studio: Studio) -> None:
    """A, then B, then A: it was done once already, but what it did is gone."""
    one, two = chain(), chain(a="values = { x = 2 }")
    studio.save(one)
    studio.save(two)

    assert executed(studio.save(one)) == {"save"}
    assert "1" in studio.path("out.json").read_text()
    assert executed(studio.save()) == set()


SHELL = """
[nodes.a]
type = "edit-fields"
values = { word = "WORD" }
[nodes.say]
type = "shell-command"
input = "a"
shell = true
program = "echo {{ input.word }} >> said.txt"
"""


def test_a_command_is_repeated_when_it_is_not_the_last(studio: Studio) -> None:
    """Though nobody knows what it has left: done A, done B, to be done A."""
    for word, said in (("a", "a"), ("a", "a"), ("b", "ab"), ("a", "aba"), ("a", "aba")):
        studio.save(SHELL.replace("WORD", word))
        assert said == studio.path("said.txt").read_text().replace("\n", "")


def test_a_plain_run_executes_everything(studio: Studio) -> None:
    """But for what its author wants kept; and a save finds what it has done."""
    text = chain(a='values = { x = 1 }\nreuse = "always"')
    assert executed(studio.run(text)) == {"a", "b", "save"}
    assert executed(studio.run()) == {"b", "save"}
    assert executed(studio.save()) == set()


def test_a_writing_node_that_is_kept_in_plain_runs(studio: Studio) -> None:
    """Only as long as its own execution was the last."""
    text = SHELL + 'reuse = "always"\n'
    for word, said in (("a", "a"), ("a", "a"), ("b", "ab"), ("a", "aba"), ("a", "aba")):
        studio.run(text.replace("WORD", word))
        assert said == studio.path("said.txt").read_text().replace("\n", "")


@pytest.mark.parametrize("scheme", ["sqlite", "files"])
def test_a_new_process_finds_what_the_one_before_has_done(tmp_path: Path, scheme: str) -> None:
    """The store knows it."""
    with Studio(tmp_path, f"{scheme}:///{tmp_path / 'store'}") as studio:
        studio.save(chain())
        studio.restart()
        assert executed(studio.save()) == set()
        studio.restart()
        assert executed(studio.save(chain(b="values = { y = 2 }"))) == {"b", "save"}


# -- bodies --------------------------------------------------------------------------------------------------------

LOOP = f"""
[nodes.each]
type = "loop"
items = ITEMS
[nodes.each.nodes.make]
{MAKES}values = {{ n = "{{{{ item }}}}" }}
[nodes.each.nodes.save]
type = "file-system"
operation = "write"
path = "{{{{ item }}}}.json"
input = "make"
"""


def test_items_of_a_loop_are_found_wherever_they_are(memory: Studio) -> None:
    """One more, one less, in another order: what an item has made is found; what it wrote is written where it moved."""
    memory.save(LOOP.replace("ITEMS", '["a", "b"]'))
    assert executed(memory.save(LOOP.replace("ITEMS", '["a", "b", "c"]'))) == {
        "each",
        "each/2/make",
        "each/2/save",
    }
    assert executed(memory.save(LOOP.replace("ITEMS", '["b"]'))) == {"each", "each/0/save"}
    moved = executed(memory.save(LOOP.replace("ITEMS", '["b", "a"]')))
    assert moved == {"each", "each/1/save"}
    assert executed(memory.save()) == set()


def test_what_a_body_wrote_must_still_be_there(studio: Studio) -> None:
    """Else only that is written again."""
    studio.save(LOOP.replace("ITEMS", '["a", "b"]'))
    assert executed(studio.save()) == set()
    studio.path("b.json").unlink()

    assert executed(studio.save()) == {"each", "each/1/save"}
    assert studio.path("b.json").exists()
    assert executed(studio.save()) == set()


NESTED = f"""
[nodes.rows]
type = "loop"
items = ROWS
[nodes.rows.nodes.each]
type = "loop"
items = [1, 2]
[nodes.rows.nodes.each.nodes.make]
{MAKES}values = {{ n = "{{{{ outer.item }}}} {{{{ item }}}}" }}
"""


def test_the_item_around_counts_where_it_is_used(memory: Studio) -> None:
    """An inner loop is executed anew for another outer item alone."""
    memory.save(NESTED.replace("ROWS", '["a", "b"]'))
    assert executed(memory.save()) == set()
    after = executed(memory.save(NESTED.replace("ROWS", '["a", "c"]')))

    assert after == {"rows", "rows/1/each", "rows/1/each/0/make", "rows/1/each/1/make"}


def body(kind: str, n: int = 1, m: int = 1, more: str = "") -> str:
    return f"""
[nodes.it]
type = "{kind}"
{more}
[nodes.it.nodes.make]
{MAKES}values = {{ n = {n} }}
[nodes.it.nodes.inner]
type = "group"
[nodes.it.nodes.inner.nodes.save]
type = "file-system"
operation = "write"
path = "inner.json"
content = "{m}"
[nodes.it.nodes.inner.nodes.read]
type = "file-system"
operation = "read"
path = "in.txt"
"""


@pytest.mark.parametrize("kind", ["group", "parallel"])
def test_a_node_in_a_body_is_executed_alone(studio: Studio, kind: str) -> None:
    """With what is around it; and what was reused within a body is looked at as well."""
    studio.path("in.txt").write_text("one")
    studio.save(body(kind))
    assert executed(studio.save()) == set()
    assert executed(studio.save(body(kind, n=2))) == {"it", "it/make"}
    assert executed(studio.save()) == set()
    studio.path("inner.json").unlink()
    assert executed(studio.save()) == {"it", "it/inner", "it/inner/save"}
    assert executed(studio.save(body(kind, n=3))) == {"it", "it/make"}
    studio.path("in.txt").write_text("two")
    assert executed(studio.save()) == {"it", "it/inner", "it/inner/read"}
    assert executed(studio.save(body(kind, n=3, m=2))) == {"it", "it/inner", "it/inner/save"}
    assert executed(studio.save()) == set()


def test_what_is_around_does_not_outlive_what_it_reused(tmp_path: Path) -> None:
    """Once the run is gone that executed the inner body, nobody knows what was left."""
    with Studio(tmp_path, f"sqlite:///{tmp_path / 'store'}") as studio:
        studio.path("in.txt").write_text("one")
        first = studio.save(body("group"))
        studio.save(body("group", n=2))
        studio.runtime._engine.delete_runs([first.run_id])  # pyright: ignore[reportPrivateUsage]
        assert executed(studio.save()) >= {"it", "it/inner"}


CALLED = f"""
[variables]
who = "x"
other = 1
[nodes.make]
{MAKES}values = {{ n = "{{{{ vars.who }}}}" }}
[nodes.save]
type = "file-system"
operation = "write"
path = "called.json"
input = "make"
"""
CALLS = """
[nodes.call]
type = "flow"
flow = "called"
variables = { who = "WHO" }
"""


def test_a_called_flow_counts_with_its_file(studio: Studio) -> None:
    """What is called, with what, and what that has left."""
    studio.write(CALLED, "called")
    studio.save(CALLS.replace("WHO", "a"))
    assert executed(studio.save()) == set()
    studio.write(CALLED.replace("{{ vars.who }}", "{{ vars.who }}!"), "called")
    assert executed(studio.save()) == {"call", "call/make", "call/save"}
    assert executed(studio.save(CALLS.replace("WHO", "b"))) == {"call", "call/make", "call/save"}
    studio.path("called.json").unlink()
    assert executed(studio.save()) == {"call", "call/save"}
    assert executed(studio.save()) == set()


def test_a_body_with_what_must_never_be_reused(memory: Studio) -> None:
    """Is executed, and of it that node alone."""
    text = body("group").replace('content = "1"', 'content = "1"\nreuse = "never"')
    memory.path("in.txt").write_text("one")
    memory.save(text)

    assert executed(memory.save()) == {"it", "it/inner", "it/inner/save"}


RACE = f"""
[nodes.it]
type = "parallel"
strategy = "race"
[nodes.it.nodes.quick]
{MAKES}values = {{ n = N }}
[nodes.it.nodes.slow]
type = "shell-command"
program = "sleep"
args = ["30"]
"""


def test_a_race_is_won_by_what_is_reused(memory: Studio) -> None:
    """And a race that was won is not run again."""
    memory.save(RACE.replace("N }", "1 }"))
    assert executed(memory.save()) == set()
    text = RACE.replace("N }", "1 }").replace('"30"', '"31"')

    again = memory.save(text)
    assert statuses(again)["it/quick"] == "reused"
    assert statuses(again)["it/slow"] == "cancelled"


def test_looking_is_done_every_time(memory: Studio) -> None:
    """Also within a body."""
    look = 'type = "file-system"\noperation = "exists"\npath = "x"\n'
    text = f'[nodes.look]\n{look}[nodes.it]\ntype = "group"\n[nodes.it.nodes.look]\n{look}'
    memory.save(text)

    assert executed(memory.save()) == {"look", "it", "it/look"}


# -- failures --------------------------------------------------------------------------------------------------------

FAILS = f"""
[nodes.fine]
{MAKES}values = {{ x = 1 }}
[nodes.read]
type = "file-system"
operation = "read"
path = "missing"
MORE
[nodes.take]
input = "PORT"
{MAKES}values = {{ y = "{{{{ input.code }}}}" }}
"""


def test_a_failed_node_is_tried_again(memory: Studio) -> None:
    """And nothing that went well is."""
    text = FAILS.replace("MORE", "").replace("PORT", "read")
    memory.save(text)
    again = memory.save()

    assert (again.status, executed(again)) == ("failed", {"read"})
    assert statuses(again)["fine"] == "reused"


def test_a_handled_failure_is_tried_again(memory: Studio) -> None:
    """Who takes the error is not, as long as it is the same."""
    text = FAILS.replace("MORE", "").replace("PORT", "read.error")
    memory.save(text)
    again = memory.save()

    assert (again.status, executed(again)) == ("succeeded", {"read"})


def test_a_failure_after_which_the_run_goes_on_is_tried_again(memory: Studio) -> None:
    """What takes its null is not executed again."""
    text = (
        FAILS.replace("MORE", 'on_error = "continue"').replace("PORT", "read").replace("input.code", "input")
    )
    memory.save(text)
    again = memory.save()

    assert (again.status, executed(again)) == ("succeeded", {"read"})


def test_what_was_tried_twice_is_reused(studio: Studio) -> None:
    """The execution that went well is the last one."""
    text = """
[nodes.say]
type = "shell-command"
shell = true
program = "echo x >> said.txt; test -e second || { touch second; exit 1; }"
retry = { attempts = 2, delay = "1ms" }
"""
    assert statuses(studio.save(text)) == {"say": "succeeded"}
    assert executed(studio.save()) == set()
    assert studio.path("said.txt").read_text() == "x\nx\n"


def test_a_skipped_node_is_no_result(memory: Studio) -> None:
    """It is looked at each time, and what takes nothing of it is reused."""
    text = chain(
        b="values = { y = 1 }\nwhen = 'false'",
        names=f"[nodes.c]\ninput = ['a', 'b']\n{MAKES}values = {{ y = 1 }}",
    )
    assert statuses(memory.save(text)) == {
        "a": "succeeded",
        "b": "skipped",
        "save": "skipped",
        "c": "succeeded",
    }
    assert statuses(memory.save()) == {"a": "reused", "b": "skipped", "save": "skipped", "c": "reused"}


# -- large values ------------------------------------------------------------------------------------------------

LARGE = f"""
[nodes.large]
{MAKES}values = {{ x = "{{{{ 'x' * 1200000 }}}}" }}
[nodes.count]
input = "large"
{MAKES}values = {{ n = "{{{{ input.x | length }}}}" }}
"""


def test_a_large_value_must_still_be_there(tmp_path: Path) -> None:
    """Else it is made again; what follows is not, for it is the same."""
    with Studio(tmp_path, f"sqlite:///{tmp_path / 'store'}") as studio:
        studio.save(LARGE)
        assert executed(studio.save()) == set()
        for path in (tmp_path / "store.values").iterdir():
            path.unlink()

        assert executed(studio.save()) == {"large"}
        again = studio.save()
        assert executed(again) == set()
        shutil.rmtree(tmp_path / "store.values")
        assert executed(studio.save(LARGE.replace("| length", "| length + 1"))) == {"large", "count"}
