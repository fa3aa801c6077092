"""Whatever a file holds, the loader answers with a flow or with problems, and with the node types there really are."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flow.judging import examples, judge
from tests.guards.campaign import note, sized

_TOKENS = re.compile(rb'"[^"\n]*"|[A-Za-z0-9_.-]+|\s+|.', re.DOTALL)
EXAMPLES = [_TOKENS.findall(content) for content in examples()]
_STRANGE = [
    *(
        b"[",
        b"]",
        b"[[",
        b"]]",
        b"{",
        b"}",
        b"{{",
        b"}}",
        b"{%",
        b"%}",
        b'"',
        b"'''",
        b'"""',
        b"=",
        b".",
        b",",
        b"#",
        b"\n",
    ),
    *(
        b"0",
        b"-1",
        b"1e400",
        b"nan",
        b"-inf",
        b"0x7f",
        b"9" * 400,
        b"1979-05-27",
        b"07:32:00",
        b"true",
        b"null",
    ),
    *(
        b"''",
        b"[]",
        b"{}",
        b"[[1], ['a']]",
        b"{ a = 1 }",
        b"1979-05-27T07:32:00Z",
        b'"250ms"',
        b'"64KiB"',
        b'"\\uD800"',
    ),
    *(
        b'"{{ input.a.b[0] }}"',
        b'"{{ vars[vars] }}"',
        b'"{% for a in b %}"',
        b'"{{ ().__class__ }}"',
        b"\x00",
        b"\xff",
    ),
    *(
        b"\xef\xbb\xbf",
        "\u00a0".encode(),
        "\u202e".encode(),
        b"\r",
        b"\r\n",
        b"\t",
        "\u2028".encode(),
        "\u0430".encode(),
    ),
    *(
        b"input",
        b"after",
        b"when",
        b"retry",
        b"timeout",
        b"type",
        b"nodes",
        b"variables",
        b"settings",
        b"a.b.c.d",
    ),
    *(
        b'"loop"',
        b'"parallel"',
        b'"group"',
        b'"flow"',
        b'"http-request"',
        b'"image"',
        b'"python"',
        b'"../../x"',
    ),
]
RUNS = sized(150, 30_000)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Draw an example with some tokens replaced, removed, doubled, or taken from another one."""
    tokens = list(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(tokens) - 1, 0)))
        length = draw(st.integers(0, 8))
        other = draw(st.sampled_from(EXAMPLES))
        start = draw(st.integers(0, max(len(other) - 1, 0)))
        new = draw(
            st.sampled_from(
                [
                    [],
                    tokens[place : place + length] * 2,
                    other[start : start + length],
                    [draw(st.sampled_from(_STRANGE))],
                ]
            )
        )
        tokens[place : place + length] = new
    return b"".join(tokens)


@pytest.mark.timeout(3000)
def test_every_changed_example_is_a_flow_or_explained() -> None:
    """Tokens swapped, removed, doubled and replaced by what stands in no manual: an answer, the same each time."""
    flows = tried = 0

    @settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(content=changed())
    def answers(content: bytes) -> None:
        nonlocal flows, tried
        tried += 1
        flows += judge(content)

    answers()
    note(
        "loader: examples with changed tokens",
        tried=tried,
        flows=flows,
        explained=tried - flows,
        other_exceptions=0,
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-32", "cp037"])
def test_other_encodings_are_explained(encoding: str) -> None:
    """A file that an editor saved in another encoding is a problem, or the flow that it is."""
    for content in examples():
        judge(content.decode("utf-8", "replace").encode(encoding, "replace"))


@pytest.mark.parametrize(
    "content",
    [
        b"a." * 10_000 + b"b = 1",
        b"[" + b"a." * 10_000 + b"b]",
        b"a = " + b"[" * 100_000,
        b"a = " + b"{ b = " * 20_000,
        b"[nodes.a]\ntype = 'edit-fields'\nvalues = { "
        + b"a = 1, " * 1
        + b"b = '"
        + b"{{ (" * 20_000
        + b"' }",
        b"[nodes.a]\ntype = 'edit-fields'\nwhen = '" + b"not " * 50_000 + b"x'",
        b"[nodes.a]\ntype = 'edit-fields'\nwhen = '" + b"1+" * 50_000 + b"1'",
        b"".join(b"k%d = 1\n" % number for number in range(100_000))[: 1024 * 1024],
        b"[nodes.a]\ntype = 'edit-fields'\n[nodes.a.values]\n"
        + b"".join(b"k%d = 1\n" % n for n in range(90_000)),
        b"x" * (1024 * 1024 + 1),
        b"\n" * (1024 * 1024),
        b"[nodes." + b"x" * 1_000_000 + b"]\ntype = 'edit-fields'",
    ],
    ids=lambda content: f"{content[:24]!r}",
)
def test_what_is_as_large_as_it_may_be_is_answered(content: bytes) -> None:
    """Deep, long and numerous things up to the limit of a file."""
    judge(content)
