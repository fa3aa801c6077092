"""What is hidden: every spelling, at any depth, also where it is cut or spread over several lines."""

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.secrecy.forms import MIN_CHARS, forms
from atomiton_runtime.secrecy.mask import Mask, MaskedLines, names_of

AWKWARD = "p4$$ 'wörd\"/\\+&<é>"
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=24).filter(
    lambda text: len(text.strip()) >= 6
)


def printf_q(text: str) -> str:
    """Return what a shell's `printf %q` prints for plain ASCII."""
    return "".join(char if char.isalnum() else f"\\{char}" for char in text)


@pytest.mark.parametrize(
    "secret", ["canary-7f3a91bc", AWKWARD, "a b c d e", "-----BEGIN-----\nMIIEvQIBADAN\n"]
)
def test_every_spelling_is_hidden(secret: str) -> None:
    """Raw, base64 with anything around it, hexadecimal, URLs, JSON, Python, HTML and shells."""
    mask = Mask([("KEY", secret)])
    raw = secret.encode()
    spelled = [
        secret,
        raw.hex(),
        raw.hex().upper(),
        *(
            base64.b64encode(bytes(before) + raw + bytes(behind)).decode()
            for before in range(4)
            for behind in range(3)
        ),
        *(base64.urlsafe_b64encode(b"me:" + raw[:] + b"?" * n).decode() for n in range(3)),
        quote(secret, safe=""),
        quote(secret, safe="").lower() if secret.islower() else quote(secret),
        quote_plus(secret),
        urlencode({"k": secret}),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(json.dumps({"k": secret})),
        repr(secret),
        repr(raw),
        html.escape(secret),
        shlex.quote(secret),
        secret.replace("'", "'\\''"),
    ]
    bare = secret.strip()
    for text in spelled:
        hidden = mask.text(f"before {text} behind")
        assert "***" in hidden, text
        assert bare not in hidden
        assert base64.b64encode(raw).decode()[4:12] not in hidden


def test_quoted_as_printf_does() -> None:
    """`printf %q` and `set -x` put a backslash before what a shell would read."""
    mask = Mask([("KEY", "a b$c;d")])
    assert mask.text(printf_q("a b$c;d")) == "***"


@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_no_text_keeps_a_secret(secret: str, before: str, behind: str) -> None:
    """Whatever stands around it."""
    mask = Mask([("KEY", secret)])
    for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe="")):
        hidden = mask.text(before + form + behind)
        assert form not in hidden or form in "***"


@given(SECRETS, st.integers(0, 2), st.binary(max_size=5))
def test_base64_is_found_at_every_place(secret: str, before: int, behind: bytes) -> None:
    """What of base64 depends on the secret alone is hidden."""
    encoded = base64.b64encode(b"x" * before + secret.encode() + behind).decode()
    assert "***" in Mask([("KEY", secret)]).text(encoded)


def test_values_are_hidden_at_any_depth() -> None:
    """Texts, bytes, keys and numbers; the names of what was there are returned; the rest is untouched."""
    mask = Mask([("PIN", "482913"), ("KEY", "canary")])
    value = {
        "a": ["x canary y", b"\x00canary\xff", None, True, 1.5],
        "canary": 482913,
        "b": {"c": 7},
        "pin": "1482913",
    }
    hidden, names = mask.value(value)
    assert hidden == {
        "a": ["x *** y", b"\x00***\xff", None, True, 1.5],
        "***": "***",
        "b": {"c": 7},
        "pin": "1***",
    }
    assert names == {"KEY", "PIN"}
    assert mask.value({"b": [1, "x"]}) == ({"b": [1, "x"]}, frozenset())
    assert names_of(names) == "secrets.KEY and secrets.PIN"


@pytest.mark.parametrize("cut", ["…", "... (3 more)", "\n[cut here: 7 more bytes were dropped]\n"])
def test_the_beginning_of_a_secret_before_a_cut_is_hidden(cut: str) -> None:
    """A message that is cut in the middle of a secret does not keep its first half."""
    mask = Mask([("KEY", "canary-7f3a91bc")])
    assert mask.text(f"it was canary-7f{cut}") == f"it was ***{cut}"
    assert mask.text(f"a can{cut}") == f"a can{cut}"
    assert mask.text(f"canary of another kind{cut}") == f"canary of another kind{cut}"


def lines(mask: Mask | None, *said: str) -> list[str]:
    """Return what is passed on of these sayings."""
    told: list[str] = []
    stream = MaskedLines(lambda: mask, told.append)
    for text in said:
        stream.say(text)
    stream.end()
    return told


def test_lines_pass_at_once_unless_a_secret_may_begin_in_them() -> None:
    """Live output stays live."""
    told: list[str] = []
    stream = MaskedLines(lambda: Mask([("KEY", "short\nlines\nhere")]), told.append)
    stream.say("hello")
    assert told == ["hello\n"]
    stream.say("then short")
    assert told == ["hello\n"]
    stream.say("no, another")
    stream.end()
    assert "".join(told) == "hello\nthen short\nno, another\n"
    said = lines(Mask([("KEY", "short\nlines\nhere")]), "then short", "lines", "here, and more")
    assert "".join(said) == "then ***, and more\n"


@pytest.mark.parametrize("place", range(1, 14))
def test_a_secret_in_two_pieces_of_a_line_is_hidden(place: int) -> None:
    """A line that is too long comes in pieces, and a piece may end within a secret."""
    secret = "canary-7f3a91bc"
    text = "".join(lines(Mask([("KEY", secret)]), "x" * 2000 + secret[:place], secret[place:] + "y"))
    assert text == "x" * 2000 + "***y\n"


@given(st.lists(st.text("ab-\n", max_size=8), max_size=8))
def test_lines_lose_nothing_else(said: list[str]) -> None:
    """Without a secret in them, what is passed on is what was said, line by line."""
    mask = Mask([("KEY", "ab-ab-ab-ab-ab-ab")])
    plain = "".join(text if text.endswith("\n") else f"{text}\n" for text in said)
    if "ab-ab-ab-ab-ab-ab" not in plain.replace("\n", ""):
        assert "".join(lines(mask, *said)) == plain
    assert lines(None, *said) == said


def test_short_texts_are_no_forms() -> None:
    """What is found everywhere is not looked for."""
    assert all(len(form) >= MIN_CHARS for form in forms("a\nbcdefgh\n"))


def test_a_long_text_full_of_ellipses_is_no_trouble() -> None:
    """Before each of them the beginning of a secret is looked for, and no further back than one may reach."""
    text = "canal..." * 100_000
    assert Mask([("KEY", "canary-7f3a91bc")]).text(text) == text
    assert Mask([("KEY", "canal-7f3a91bc")]).text(text) == "***..." * 100_000


def test_a_secret_that_is_cut_is_named() -> None:
    """The log says where something was changed, also where only a beginning was."""
    assert Mask([("KEY", "canary-7f3a91bc")]).value("it was canary-7…") == ("it was ***…", {"KEY"})
