"""What a tree shows: golden texts of whole screens, after events as a run tells them."""

import pytest
from rich.cells import cell_len

from atomiton_runtime.cli.live.picture import Picture
from atomiton_runtime.errors import ErrorInfo, Where
from atomiton_runtime.flow.problems import Problem
from tests.doubles.live import Telling, coloured_screen_of, flow_of, picture_of, screen_of

TABLES = """
name = "Two tables"
[nodes.read]
type = "edit-fields"
[nodes.rates]
type = "edit-fields"
[nodes.join]
type = "edit-fields"
input = { a = "read", b = "rates" }
[nodes.save]
type = "edit-fields"
input = "join"
"""
LOOP = """
[nodes.each]
type = "loop"
items = "{{ range(200) | list }}"
[nodes.each.nodes.size]
type = "edit-fields"
[nodes.each.nodes.keep]
type = "edit-fields"
input = "size"
[nodes.sum]
type = "edit-fields"
input = { all = "each" }
"""
BAD = ErrorInfo(
    "SHELL-003", "it ended with exit code 3", "read", Where("/flows/tables.toml", 3, 1), "look again"
)
HEAD = "/flows/tables.toml"


def body(picture: Picture, **how: int | float | str) -> list[str]:
    """Return the lines of the tree."""
    return screen_of(picture, **how)[2:-1]  # type: ignore[arg-type]


def test_a_flow_that_never_ran() -> None:
    """All nodes are there, pending, in the order of the graph."""
    assert [
        f"Two tables  {HEAD}",
        "· it has not run yet",
        "· read            pending",
        "· rates           pending",
        "  · join <- read  pending",
        "    · save        pending",
        "q quits",
    ] == screen_of(picture_of(TABLES))


def test_a_run_from_its_queue_to_its_end() -> None:
    """The run is queued, then runs with a spinner and a clock, then it has succeeded, with what came out."""
    picture = picture_of(TABLES)
    run = Telling(picture)
    run.queued()
    assert "· queued  by save at 19:15:00  4 pending" == screen_of(picture)[1]
    run.left_queue()
    run.did("read", rows=[{"name": "Ada", "total": 1}] * 42)
    run.started("rates")
    assert [
        "⠋ running for 2.0 s  by save at 19:15:00  2 run, 2 pending",
        "✓ read            succeeded      4 ms  42 rows: name, total",
        "⠋ rates           running       2.0 s",
        "  · join <- read  pending",
        "    · save        pending",
    ] == screen_of(picture, after_s=2.0)[1:-1]
    run.gave("rates", result={"EUR": 1.1})
    run.did("join", result="text")
    run.skipped("save")
    run.ended()
    assert [
        "✓ succeeded in 12 ms  by save at 19:15:00  3 run, 1 skipped",
        "✓ read            succeeded      4 ms  42 rows: name, total",
        '✓ rates           succeeded      4 ms  {"EUR":1.1}',
        "  ✓ join <- read  succeeded      4 ms  text",
        "    – save        skipped              `when` is false",
    ] == screen_of(picture, after_s=9.0)[1:-1]


def test_what_is_reused_and_what_ran() -> None:
    """A save that executes two nodes says so; a node that had begun may still be reused."""
    picture = picture_of(TABLES)
    earlier = Telling(picture, "earlier")
    earlier.begun()
    again = Telling(picture, "next")
    assert again.queued()
    assert "1 run waiting" in screen_of(picture)[1]
    for node in ("read", "rates", "join", "save"):
        earlier.did(node, result=node)
    earlier.ended()
    again.left_queue()
    again.reused("read", result="read")
    again.started("rates")
    again.reused("rates")
    again.did("join", result="new")
    assert [
        "⠋ running for 1.0 s  by save at 19:15:00  1 run, 1 pending, 2 reused",
        "= read            reused               read",
        "= rates           reused               rates",
        "  ✓ join <- read  succeeded      4 ms  new",
        "    · save        pending              save",
    ] == screen_of(picture, after_s=1.0)[1:-1]
    shown = coloured_screen_of(picture).splitlines()
    bold, dim = "\x1b[1m", "\x1b[2m"
    assert f"{bold}join" in shown[5]
    assert dim in shown[3]
    assert bold not in shown[3]


def test_a_loop_is_counted() -> None:
    """A loop has one line for each of its nodes, however many iterations there are, and says how far it is."""
    picture = picture_of(LOOP)
    run = Telling(picture)
    run.begun()
    run.started("each")
    run.opened("each", 200)
    for index in range(17):
        run.iteration("each", index)
        run.did(f"each/{index}/size", result=index)
        run.did(f"each/{index}/keep", result=f"kept {index}")
    run.started("each/17/size")
    assert [
        "⠋ each           running              17/200",
        "  ⠋ each/size    running        4 ms  1 running, 17 succeeded  16",
        "    ✓ each/keep  succeeded      4 ms  17 succeeded  kept 16",
        "  · sum          pending",
    ] == body(picture)
    run.skipped("each/17/size")
    run.failed("each/17/keep", ErrorInfo("NODE-002", "it broke", "each/17/keep"))
    run.gave("each", results=[1])
    assert [
        "✓ each           succeeded      4 ms  18/200  [1]",
        "  ✓ each/size    succeeded      4 ms  17 succeeded, 1 skipped  16",
        "    ✗ each/keep  failed         4 ms  1 failed, 17 succeeded  kept 16",
        "      error[NODE-002]: it broke",
        "        node: each/17/keep",
        "  · sum          pending",
    ] == body(picture)


def test_a_loop_that_nobody_knows_the_end_of() -> None:
    """A loop with a condition counts up; one that is tried again begins to count again."""
    picture = picture_of(LOOP)
    run = Telling(picture)
    run.begun()
    run.started("each")
    run.opened("each", None)
    run.did("each/0/size", result=1)
    run.did("each/0/keep", result=1)
    assert body(picture)[0].endswith("1 iteration")
    run.retrying("each", BAD)
    run.started("each", attempt=2)
    run.opened("each", 1, attempt=2)
    assert body(picture)[0].endswith("0/1  attempt 2")
    run.did("each/0/size", result=1)
    run.did("each/0/keep", result=1)
    run.gave("each", attempt=2, results=[])
    assert body(picture)[0].endswith("1 iteration  2 attempts  []")


def test_loops_in_loops_and_groups() -> None:
    """Ids lose the indexes of loops and nothing else; what is not in the flow is passed over."""
    picture = picture_of("""
[nodes.group]
type = "group"
[nodes.group.nodes.outer]
type = "loop"
items = "{{ [1] }}"
[nodes.group.nodes.outer.nodes.inner]
type = "loop"
items = "{{ [1] }}"
[nodes.group.nodes.outer.nodes.inner.nodes.deep]
type = "edit-fields"
""")
    run = Telling(picture)
    run.begun()
    run.started("group")
    run.opened("group", 1, numbered=False)
    run.started("group/outer")
    run.opened("group/outer", 3)
    for index in range(2):
        run.started(f"group/outer/{index}/inner")
        run.opened(f"group/outer/{index}/inner", 4)
        run.did(f"group/outer/{index}/inner/0/deep", result=1)
    run.did("group/outer/0/other", result=1)
    run.did("nowhere", result=1)
    assert "group/outer/inner/deep" == picture.key_of("group/outer/1/inner/0/deep")
    assert None is picture.key_of("group/outer/0/other")
    assert 2 == picture.rows["group/outer/inner/deep"].counts["succeeded"]
    assert [
        "⠋ group                         running",
        "  ⠋ group/outer                 running              0/3",
        "    ⠋ group/outer/inner         running              2/8  2 running",
        "      ✓ group/outer/inner/deep  succeeded      4 ms  2 succeeded  1",
    ] == body(picture, columns=120)


def test_a_failed_node_has_its_error_below() -> None:
    """The error of a node stands below it with place and hint; the nodes around it do not repeat it."""
    picture = picture_of(TABLES)
    run = Telling(picture)
    run.begun()
    run.started("read")
    run.retrying("read", BAD)
    assert body(picture)[0] == "· read            pending        4 ms  attempt 1 failed: it ended with …"
    run.started("read", attempt=2)
    run.said("read", "half\nof it\n\n")
    assert body(picture)[0] == "⠋ read            running              attempt 2  of it"
    run.failed("read", BAD, attempt=2)
    run.cancelled("rates")
    run.told_to_end()
    assert "running, cancelling for" in screen_of(picture)[1]
    run.failed_run(BAD)
    assert [
        "✗ failed after 500 ms  by save at 19:15:00  2 run (1 failed), 2 pending",
        "✗ read            failed         4 ms  2 attempts",
        "  /flows/tables.toml:3:1: error[SHELL-003]: it ended with exit code 3",
        "    hint: look again",
        "■ rates           cancelled      4 ms",
        "  · join <- read  pending",
        "    · save        pending",
    ] == screen_of(picture)[1:-1]


def test_the_error_of_a_run_that_is_of_no_node() -> None:
    """What ended a run and belongs to no node of the tree stands above it, and so does what the runtime has to say."""
    picture = picture_of(TABLES)
    run = Telling(picture)
    run.begun()
    run.failed_run(ErrorInfo("RUN-008", "it took longer than 1 s"))
    picture.notice = ErrorInfo("RUN-013", "the flow is paused")
    assert ["error[RUN-008]: it took longer than 1 s", "note[RUN-013]: the flow is paused"] == screen_of(
        picture
    )[2:4]


def broken(line: int, source: str, column: int) -> Problem:
    return Problem(
        code="FLOW-009",
        message="there is no node `reed`",
        file=HEAD,
        line=line,
        column=column,
        source_line=source,
        width=4,
        hint="did you mean `read`?",
    )


def test_the_problems_of_a_broken_file_stand_above_the_tree() -> None:
    """As `check` prints them, with the caret in place; the tree keeps what it had until the file is valid again."""
    picture = picture_of(TABLES)
    run = Telling(picture)
    run.begun()
    run.did("read", result=1)
    tree = body(picture)
    picture.spoil([broken(9, 'input = "reed"', 10)])
    assert [
        f"{HEAD}:9:10: error[FLOW-009]: there is no node `reed`",
        "    |",
        '  9 | input = "reed"',
        "    |          ^^^^",
        "  hint: did you mean `read`?",
        *tree,
    ] == body(picture)
    assert "\x1b[1;2m" in coloured_screen_of(picture).splitlines()[9]
    picture.load(flow_of(TABLES.replace("rates", "courses")))
    assert ["read", "courses", "join", "save"] == [line.split()[1] for line in body(picture)]
    assert "✓ read" in body(picture)[0]
    assert "of another version of the file" in screen_of(picture, columns=120)[1]
    picture.is_gone = True
    assert "the file is gone" == screen_of(picture)[2]


def test_a_long_line_is_shown_around_its_caret() -> None:
    """The caret stays below its word on a narrow screen, and problems that do not fit are counted."""
    picture = picture_of(TABLES)
    long = f'input = {{ {"aaaa = 1, " * 20}b = "reed" }}'
    picture.spoil([broken(9, long, long.index("reed") + 1)] * 4)
    shown = screen_of(picture, columns=50)
    caret = next(line for line in shown if "^" in line)
    source = shown[shown.index(caret) - 1]
    assert "reed" == source[caret.index("^") : caret.rindex("^") + 1]
    assert "... 3 more problems" in shown


def test_a_tree_that_is_higher_than_the_screen() -> None:
    """What runs or failed comes first, then what ran, and the others are counted."""
    names = [f"n{number}" for number in range(100)]
    picture = picture_of("".join(f'[nodes.{name}]\ntype = "edit-fields"\n' for name in names))
    run = Telling(picture)
    run.begun()
    for name in names:
        if name == "n50":
            run.failed(name, ErrorInfo("NODE-002", "it broke", "n50", None, "mend it"))
        elif name == "n70":
            run.started(name)
        elif name == "n60":
            run.did(name, result=60)
        else:
            run.reused(name, result=1)
    shown = body(picture, lines=12)
    assert ["✗ n50", "error[NODE-002]:", "✓ n60", "⠋ n70"] == [
        " ".join(line.split()[:2]) if line[0] != " " else line.split()[0]
        for line in (shown[2], shown[3], shown[-3], shown[-2])
    ]
    assert "... 95 more nodes, all reused" == shown[-1]


@pytest.mark.parametrize(("columns", "lines"), [(20, 3), (1, 1), (30, 8), (200, 60), (80, 5)])
def test_nothing_is_larger_than_the_screen(columns: int, lines: int) -> None:
    """Whatever the size, no line is wider and no screen is higher than there is room."""
    picture = picture_of(LOOP)
    run = Telling(picture)
    run.begun()
    run.failed("sum", BAD)
    picture.spoil([broken(9, 'input = "reed"' * 20, 10)] * 3)
    shown = screen_of(picture, columns=columns, lines=lines)
    assert len(shown) <= lines
    assert all(cell_len(line) <= columns for line in shown)


def test_readable_without_colours_and_without_unicode() -> None:
    """Every state is a word and a sign; NO_COLOR takes the colours, and a plain terminal gets plain signs."""
    picture = picture_of(TABLES)
    run = Telling(picture)
    run.begun()
    run.did("read", result="x")
    run.reused("rates", result="y")
    run.failed("join", BAD)
    assert "\x1b[32m" in coloured_screen_of(picture)
    assert "\x1b[32m" not in coloured_screen_of(picture, NO_COLOR="1")
    shown = "\n".join(screen_of(picture, encoding="ascii"))
    for words in ("+ read", "= rates", "x join", ". save"):
        assert words in shown


def test_runs_that_are_not_shown() -> None:
    """Runs of other files, and events that were taken already, change nothing; one that ends in the queue is news."""
    picture = picture_of(TABLES)
    other = Telling(picture, "other")
    assert not other.queued(path="/elsewhere/tables.toml")
    assert not other.did("read", result=1)
    run = Telling(picture, "mine")
    assert run.begun()
    repeated = Telling(picture, "mine")
    assert not repeated.queued()
    waiting = Telling(picture, "waiting")
    assert waiting.queued()
    assert not waiting.failed_run(BAD)
    run.ended()
    second = Telling(picture, "second")
    second.queued()
    third = Telling(picture, "third")
    third.queued()
    second.failed_run(BAD)
    third.failed_run(BAD)
    assert picture.run is not None
    assert ("third", "failed") == (picture.run.id, picture.run.status)
