"""When a changed file is looked at, and what a look at it means: with a clock made of numbers."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.actors.flow_files import (
    Changing,
    Content,
    Identity,
    Look,
    Missing,
    Signature,
    Unreadable,
)
from atomiton_runtime.actors.messages import FileGone, FileSettled, FileUnreadable
from atomiton_runtime.actors.settling import (
    Patience,
    Restless,
    Seen,
    Verdict,
    changed_paths,
    hinted,
    is_lost,
    judge,
    next_look,
    settled,
)
from atomiton_runtime.errors import ErrorInfo

PATIENCE = Patience(quiet_s=0.15, at_most_s=2.0)
A_PIPE = ErrorInfo("WATCH-002", "a.toml is a named pipe, not a flow file")
A_SECRET = ErrorInfo("WATCH-001", "a.toml cannot be read: Permission denied")

moments = st.floats(min_value=0, max_value=100, allow_nan=False)
hints = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), moments), max_size=30)


def signature(number: int) -> Signature:
    return Signature(1, number, 0o100644, 3, number, number)


def content(data: bytes, number: int = 1) -> Content:
    return Content(data, hashlib.sha256(data).hexdigest(), signature(number))


def seen(data: bytes, number: int = 1, error: ErrorInfo | None = None) -> Seen:
    return Seen(signature(number), hashlib.sha256(data).hexdigest(), error)


def replay(told: list[tuple[str, float]]) -> Restless:
    restless: Restless = {}
    for path, at in told:
        restless = hinted(restless, (path,), at)
    return restless


class TestWhen:
    def test_a_file_rests_before_it_is_looked_at(self) -> None:
        """A file is looked at one quiet time after its last hint, not after its first."""
        restless = replay([("a", 10.0), ("a", 10.1)])

        assert next_look(restless, PATIENCE) == pytest.approx(10.25)
        assert settled(restless, 10.24, PATIENCE) == ((), restless)
        assert settled(restless, 10.26, PATIENCE) == (("a",), {})

    def test_a_file_that_never_rests_is_looked_at_all_the_same(self) -> None:
        """Under a constant stream of hints a file is looked at after two seconds."""
        restless = replay([("a", 10.0 + step / 10) for step in range(30)])

        assert next_look(restless, PATIENCE) == pytest.approx(12.0)
        assert settled(restless, 12.0, PATIENCE) == (("a",), {})

    def test_files_do_not_wait_for_each_other(self) -> None:
        """A restless file delays only itself."""
        restless = replay([("quiet", 10.0), ("busy", 10.0), ("busy", 10.14)])

        due, waiting = settled(restless, 10.16, PATIENCE)

        assert due == ("quiet",)
        assert set(waiting) == {"busy"}

    def test_nothing_restless_needs_no_deadline(self) -> None:
        """An idle folder wakes nobody."""
        assert next_look({}, PATIENCE) is None

    @given(hints)
    def test_every_hint_is_looked_at_exactly_once(self, told: list[tuple[str, float]]) -> None:
        """Whatever the hints are, each hinted path comes due once, by the moment that was announced."""
        restless = replay(told)
        looked_at = list[str]()
        while (moment := next_look(restless, PATIENCE)) is not None:
            due, restless = settled(restless, moment, PATIENCE)
            assert due, "the announced moment came, and nothing was due"
            looked_at += due

        assert sorted(looked_at) == sorted({path for path, _ in told})

    @given(hints, st.randoms())
    def test_hints_may_come_out_of_order(self, told: list[tuple[str, float]], random: object) -> None:
        """The order in which hints arrive changes nothing: only their moments count."""
        shuffled = list(told)
        random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a random.Random

        assert replay(shuffled) == replay(told)

    @given(hints, moments)
    def test_no_file_is_looked_at_too_early(self, told: list[tuple[str, float]], now: float) -> None:
        """A file that was touched within the quiet time is left alone, unless it has been restless for long."""
        restless = replay(told)
        for path in settled(restless, now, PATIENCE)[0]:
            last, first = restless[path].last, restless[path].first
            assert now - last >= PATIENCE.quiet_s - 1e-9 or now - first >= PATIENCE.at_most_s - 1e-9


class TestWhat:
    @pytest.mark.parametrize(
        ("before", "look", "verdict"),
        [
            pytest.param(
                None,
                content(b"new"),
                Verdict(seen(b"new"), FileSettled(path="a", content=b"new")),
                id="a new file is told",
            ),
            pytest.param(
                seen(b"old"),
                content(b"new", 2),
                Verdict(seen(b"new", 2), FileSettled(path="a", content=b"new")),
                id="new content is told",
            ),
            pytest.param(
                seen(b"same", 1),
                content(b"same", 2),
                Verdict(seen(b"same", 2)),
                id="the same content in another file or at another time is no news",
            ),
            pytest.param(
                seen(b"old"), Missing(), Verdict(None, FileGone(path="a")), id="a file that went is told"
            ),
            pytest.param(None, Missing(), Verdict(None), id="a temporary file that came and went is no news"),
            pytest.param(
                seen(b"old"),
                Changing(),
                Verdict(seen(b"old"), restless=True),
                id="a file in motion is left to rest",
            ),
            pytest.param(
                None, Changing(), Verdict(None, restless=True), id="a new file in motion is left to rest"
            ),
            pytest.param(
                seen(b"old"),
                Unreadable(A_PIPE, signature(2)),
                Verdict(seen(b"old", 2, A_PIPE), FileUnreadable(path="a", error=A_PIPE)),
                id="what cannot be read is told",
            ),
            pytest.param(
                None,
                Unreadable(A_PIPE, None),
                Verdict(Seen(None, None, A_PIPE), FileUnreadable(path="a", error=A_PIPE)),
                id="a new thing that cannot be read is told",
            ),
            pytest.param(
                seen(b"old", 1, A_PIPE),
                Unreadable(A_PIPE, signature(2)),
                Verdict(seen(b"old", 2, A_PIPE)),
                id="the same reason is told once",
            ),
            pytest.param(
                seen(b"old", 1, A_PIPE),
                Unreadable(A_SECRET, signature(1)),
                Verdict(seen(b"old", 1, A_SECRET), FileUnreadable(path="a", error=A_SECRET)),
                id="another reason is told",
            ),
            pytest.param(
                seen(b"same", 1, A_SECRET),
                content(b"same", 2),
                Verdict(seen(b"same", 2), FileSettled(path="a", content=b"same")),
                id="content that can be read again is told though it is the same",
            ),
        ],
    )
    def test_a_look_means(self, before: Seen | None, look: Look, verdict: Verdict) -> None:
        """What a look means follows from what was seen before it."""
        assert judge("a", before, look) == verdict

    def test_the_first_scan_says_so(self) -> None:
        """Files that were there when watching began are told as such: nobody has just saved them."""
        assert judge("a", None, content(b"x"), first_scan=True).fact == FileSettled(
            path="a", content=b"x", first_scan=True
        )

    @pytest.mark.parametrize(
        ("data", "second_look"), [(b"broken", True), (b"whole", False)], ids=["same content", "other content"]
    )
    def test_a_second_look_answers_the_shelf(self, data: bytes, second_look: bool) -> None:
        """A second look is told in any case; with other content it is a first look at that."""
        verdict = judge("a", seen(b"broken"), content(data, 2), asked_again=True)

        assert verdict.fact == FileSettled(path="a", content=data, second_look=second_look)

    @pytest.mark.parametrize("asked_again", [False, True])
    @pytest.mark.parametrize("look", [Missing(), Unreadable(A_PIPE, None), content(b"x")])
    def test_the_same_look_twice_is_told_once(self, look: Look, asked_again: bool) -> None:
        """Without a change, and without being asked, the second of two looks is no news."""
        first = judge("a", seen(b"old"), look, asked_again=asked_again)

        assert first.fact is not None
        assert judge("a", first.seen, look).fact is None


class TestRescan:
    def test_a_rescan_finds_what_events_missed(self) -> None:
        """Changed, new and gone files, and those that could not be read, are looked at; all others are left alone."""
        known = {
            "same": seen(b"", 1),
            "changed": seen(b"", 1),
            "gone": seen(b"", 1),
            "unreadable": seen(b"", 1, A_SECRET),
        }
        found = {
            "same": signature(1),
            "changed": signature(2),
            "new": signature(1),
            "unreadable": signature(1),
            "dangling": None,
        }

        assert changed_paths(known, found) == ("changed", "dangling", "gone", "new", "unreadable")

    @pytest.mark.parametrize(
        ("watched", "found", "known", "present", "lost"),
        [
            pytest.param(Identity(1, 7), None, 3, 0, True, id="no folder"),
            pytest.param(None, None, 0, 0, True, id="never a folder"),
            pytest.param(Identity(1, 7), Identity(1, 7), 3, 0, False, id="the same folder, emptied"),
            pytest.param(Identity(1, 7), Identity(1, 8), 3, 0, False, id="deleted and created anew"),
            pytest.param(Identity(1, 7), Identity(2, 7), 3, 0, True, id="unmounted: the mount point is left"),
            pytest.param(
                Identity(1, 7), Identity(2, 7), 0, 0, False, id="mounted elsewhere, never had a flow"
            ),
            pytest.param(Identity(1, 7), Identity(2, 7), 3, 2, False, id="moved to another disk"),
            pytest.param(None, Identity(2, 7), 0, 0, False, id="the first look"),
        ],
    )
    def test_a_lost_folder_is_told_from_an_emptied_one(
        self, watched: Identity | None, found: Identity | None, known: int, present: int, lost: bool
    ) -> None:
        """An unmounted folder does not look as if all flows had been deleted."""
        assert is_lost(watched, found, known=known, present=present) is lost
