"""What the shelf answers, and what it makes of what the watcher tells it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atomiton_runtime.actors import flow_files, flow_reading, flow_sources
from atomiton_runtime.actors.base import Address, Rank, stop_actor
from atomiton_runtime.actors.flow_shelf import FlowShelf, ShelfBook
from atomiton_runtime.actors.messages import (
    FileGone,
    FileSettled,
    FileUnreadable,
    FlowSaved,
    GetFlow,
    ListFlows,
    LookAgain,
    Publish,
    TypesChanged,
)
from atomiton_runtime.errors import ErrorInfo, UsageError
from atomiton_runtime.flow.entry import FlowEntry
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.ids import FlowId
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, NoticeRaised
from tests.doubles.addresses import Collected
from tests.doubles.catalogue import CatalogueDouble, TypeDouble

BROKEN = b'[nodes.a]\ntype = "mak"\n'
HALF = b"[nodes.a"


def valid(count: int, more: str = "") -> bytes:
    return f'{more}\n[nodes.a]\ntype = "make"\ncount = {count}\n'.encode()


class BrokenCatalogue(CatalogueDouble):
    """A catalogue with a fault of its own."""

    def find(self, name: str) -> TypeDouble | None:
        """Fail."""
        raise RecursionError(name)


class Shelf:
    """A shelf at work, and all that it says."""

    def __init__(self, folder: Path, address: Address) -> None:
        self.folder = folder
        self.address = address
        self.catalogue = CatalogueDouble()
        self.conductor = Collected("Conductor", Rank.CONDUCTOR)
        self.bus = Collected("EventBus", Rank.BUS)
        self.watcher = Collected("FlowWatcher", Rank.WATCHER)

    def flow(self, ref: str) -> Flow:
        """Ask for a flow."""
        flow = self.address.ask(GetFlow(ref=ref), asker=Rank.CLIENT)
        assert isinstance(flow, Flow)
        return flow

    def entries(self, *only: str) -> dict[str, FlowEntry]:
        """Ask for all flows, or for those of these ids alone; return id -> entry, in the order of the answer."""
        question = ListFlows(only=frozenset(map(FlowId, only)) if only else None)
        entries = self.address.ask(question, asker=Rank.CLIENT)
        assert isinstance(entries, tuple)
        return {entry.id: entry for entry in entries}

    def settle(
        self, name: str, content: bytes, *, first_scan: bool = False, second_look: bool = False
    ) -> list[object]:
        """Save a file, as the watcher tells it; return what follows."""
        path = self.folder / name
        path.write_bytes(content)
        return self.tell(
            FileSettled(path=str(path), content=content, first_scan=first_scan, second_look=second_look)
        )

    def tell(self, message: object) -> list[object]:
        """Tell the shelf something; return what it tells others about it, in short."""
        self.address.tell(message)
        self.entries()  # whoever answers has read all that came before
        told = [*self.watcher.all_so_far(), *self.bus.all_so_far(), *self.conductor.all_so_far()]
        return [_in_short(each) for each in told]


def _in_short(message: object) -> str:
    match message:
        case LookAgain(path=path):
            return f"look again at {Path(path).name}"
        case Publish(facts=(FlowLoaded(flow=flow),)):
            return f"{flow} is loaded"
        case Publish(facts=(FlowBroken(flow=flow, problems=problems, runnable=runnable),)):
            return f"{flow} is broken: {problems[0].code}{', runnable' if runnable else ''}"
        case Publish(facts=(FlowRemoved(flow=flow),)):
            return f"{flow} is removed"
        case Publish(facts=(NoticeRaised(level=level, error=error),)):
            return f"{level}: {error.message}"
        case FlowSaved(flow=flow):
            return f"run {flow.id} {flow.nodes[0].parameters.get('count')}"
        case _:
            raise AssertionError(message)


@contextlib.contextmanager
def shelving(
    folder: Path,
    *,
    watch: bool = True,
    book: ShelfBook | None = None,
    broken_loader: bool = False,
    shelf: Shelf | None = None,
) -> Iterator[Shelf]:
    """Run a shelf over `folder`."""
    shelf = shelf or Shelf(folder, Address("FlowShelf", Rank.SHELF))
    supervisor = Collected("Supervisor", Rank.SUPERVISOR)
    actor = FlowShelf.start(
        shelf.address,
        supervisor.tell,
        folder=folder,
        catalogue=BrokenCatalogue() if broken_loader else shelf.catalogue,
        conductor=shelf.conductor,
        bus=shelf.bus,
        watcher=shelf.watcher if watch else None,
        book=book or ShelfBook(),
    )
    try:
        yield shelf
    finally:
        assert stop_actor(actor, shelf.address, 10)
    assert supervisor.all_so_far() == [], "no handler raised"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty flows folder."""
    made = tmp_path / "flows"
    made.mkdir()
    return made


class TestAsked:
    @pytest.mark.parametrize("watch", [True, False])
    def test_a_flow_is_found_by_id_and_by_path(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, watch: bool
    ) -> None:
        """An id names a file of the folder; a path, also a relative one or one from home, any file."""
        monkeypatch.chdir(folder.parent)
        monkeypatch.setenv("HOME", str(folder.parent))
        (folder / "sum.toml").write_bytes(valid(1))
        (folder.parent / "elsewhere.toml").write_bytes(valid(2))
        (folder.parent / "program").write_bytes(b"#!/usr/bin/env -S atomiton run\n" + valid(3))

        with shelving(folder, watch=watch) as shelf:
            for ref in ("sum", str(folder / "sum.toml"), "flows/sum.toml", "./flows/../flows/sum.toml"):
                assert (shelf.flow(ref).id, shelf.flow(ref).path) == ("sum", str(folder / "sum.toml"))
            for ref in ("elsewhere.toml", "./elsewhere.toml", "~/elsewhere.toml"):
                assert shelf.flow(ref).path == str(folder.parent / "elsewhere.toml")
            assert shelf.flow("./program").id == "program"
            assert list(shelf.entries()) == ["sum"]

    @pytest.mark.parametrize(
        ("ref", "hint"),
        [
            ("sun", "did you mean `sum`?"),
            ("Sum", "did you mean `sum`?"),
            ("sun.toml", "did you mean `sum`?"),
            ("/nowhere/at/all.toml", "`atomiton list` shows"),
            ("", "a flow is a file NAME.toml in "),
            (".", "a flow is a file NAME.toml in "),
            (".hidden", "a flow is a file NAME.toml in "),
            ("../flows/sun", "did you mean `sum`?"),
            ("a\0b", "a flow is a file NAME.toml in "),
            ("a\0b.toml", "`atomiton list` shows"),
            ("x" * 300, "a flow is a file NAME.toml in "),
            ("\udcff", "a flow is a file NAME.toml in "),
        ],
    )
    def test_what_is_not_there_is_said_with_a_hint(self, folder: Path, ref: str, hint: str) -> None:
        """An id or path that leads nowhere is the caller's mistake, and is answered with the closest name."""
        (folder / "sum.toml").write_bytes(valid(1))
        (folder / ".hidden.toml").write_bytes(valid(1))
        with shelving(folder) as shelf, pytest.raises(UsageError) as raised:
            shelf.flow(ref)
        assert raised.value.code == "FLOW-404"
        assert (raised.value.hint or "").startswith(hint)

    @pytest.mark.parametrize("watch", [True, False])
    def test_a_changed_file_is_loaded_anew(self, folder: Path, watch: bool) -> None:
        """What is asked for is what the file holds now; an unchanged file is the very same flow."""
        with shelving(folder, watch=watch) as shelf:
            (folder / "sum.toml").write_bytes(valid(1))
            first = shelf.flow("sum")
            (folder / "sum.toml").touch()
            assert shelf.flow("sum").hash == first.hash
            (folder / "sum.toml").write_bytes(valid(2))
            assert shelf.flow("sum").hash != first.hash

    @pytest.mark.parametrize("watch", [True, False])
    def test_the_last_valid_version_stays_runnable(self, folder: Path, watch: bool) -> None:
        """A file that breaks is answered with its last valid version; one that never was valid with its problems."""
        with shelving(folder, watch=watch) as shelf:
            (folder / "sum.toml").write_bytes(BROKEN)
            with pytest.raises(FlowInvalid) as raised:
                shelf.flow("sum")
            assert [problem.code for problem in raised.value.problems] == ["FLOW-008"]

            (folder / "sum.toml").write_bytes(valid(1))
            good = shelf.flow("sum")
            (folder / "sum.toml").write_bytes(BROKEN)
            assert shelf.flow("sum") == good

            entry = shelf.entries()["sum"]
            assert entry.runnable
            assert [problem.code for problem in entry.problems] == ["FLOW-008"]

    def test_the_list_shows_what_each_file_says(self, folder: Path) -> None:
        """The list is sorted by id, holds broken files too, and no file of it disturbs another."""
        (folder / "b.toml").write_bytes(
            valid(1, 'name = "Bee"\ndescription = "Hums."\nvariables.n = 3\nsettings.tray = false')
        )
        (folder / "a.toml").write_bytes(BROKEN)
        (folder / "c.toml").mkdir()
        (folder / "d.toml").symlink_to("nowhere")
        os.mkfifo(folder / "e.toml")
        (folder / "notes.txt").write_text("no flow")
        with shelving(folder) as shelf:
            entries = shelf.entries()

        assert [(key, entry.name, entry.runnable) for key, entry in entries.items()] == [
            ("a", "a", False),
            ("b", "Bee", True),
            ("c", "c", False),
            ("d", "d", False),
            ("e", "e", False),
        ]
        assert [each.problems[0].code if each.problems else None for each in entries.values()] == [
            "FLOW-008",
            None,
            "WATCH-002",
            "WATCH-003",
            "WATCH-002",
        ]
        bee = entries["b"]
        assert (bee.description, bee.tray, bee.notify, list(bee.variables)) == (
            "Hums.",
            False,
            "failure",
            ["n"],
        )

    def test_without_a_watcher_a_deleted_file_is_gone(self, folder: Path) -> None:
        """Who asks after a deletion learns of it, unless the whole folder is lost."""
        (folder / "a.toml").write_bytes(valid(1))
        (folder / "b.toml").write_bytes(valid(2))
        with shelving(folder, watch=False) as shelf:
            assert list(shelf.entries()) == ["a", "b"]
            (folder / "a.toml").unlink()
            assert list(shelf.entries()) == ["b"]
            with pytest.raises(UsageError, match="no flow `a`"):
                shelf.flow("a")

            folder.rename(folder.parent / "unmounted")
            assert list(shelf.entries()) == ["b"]
            assert shelf.flow("b").id == "b"

    def test_with_a_watcher_only_it_declares_a_flow_gone(self, folder: Path) -> None:
        """While an editor replaces a file, it is missing for a moment; the flow stays on the list."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            (folder / "a.toml").unlink()
            assert list(shelf.entries()) == ["a"]
            assert shelf.flow("a").id == "a"
            assert shelf.tell(FileGone(path=str(folder / "a.toml"))) == ["a is removed"]
            assert list(shelf.entries()) == []

    def test_a_missing_folder_is_an_empty_one(self, tmp_path: Path) -> None:
        """Before the first flow there may be no folder."""
        with shelving(tmp_path / "flows") as shelf:
            assert shelf.entries() == {}
            with pytest.raises(UsageError, match="no flow `a`"):
                shelf.flow("a")

    def test_a_fault_of_the_loader_is_the_problem_of_one_file(self, folder: Path) -> None:
        """Were the loader to fail on a file, that would be said of this file, and the list be whole."""
        (folder / "a.toml").write_bytes(valid(1))
        (folder / "b.toml").mkdir()
        with shelving(folder, broken_loader=True) as shelf:
            codes = {key: entry.problems[0].code for key, entry in shelf.entries().items()}
        assert codes == {"a": "WATCH-009", "b": "WATCH-002"}

    def test_a_large_file_is_refused_without_being_read_whole(self, folder: Path) -> None:
        """A hundred megabytes named like a flow are a problem, not a hundred megabytes of memory."""
        with (folder / "a.toml").open("wb") as file:
            file.truncate(100 * 1024 * 1024)
        with shelving(folder) as shelf:
            assert [problem.code for problem in shelf.entries()["a"].problems] == ["TOML-005"]


class TestTold:
    def test_what_was_there_is_loaded_and_not_run(self, folder: Path) -> None:
        """The first scan saves nothing."""
        with shelving(folder) as shelf:
            assert shelf.settle("a.toml", valid(1), first_scan=True) == ["a is loaded"]

    def test_a_new_file_is_loaded_and_not_run(self, folder: Path) -> None:
        """A file that appears is loaded; its next save runs it."""
        with shelving(folder) as shelf:
            assert shelf.settle("a.toml", valid(1)) == ["a is loaded"]
            assert shelf.settle("a.toml", valid(2)) == ["a is loaded", "run a 2"]

    def test_a_save_is_told_also_if_somebody_has_asked_meanwhile(self, folder: Path) -> None:
        """A list that is drawn between the save and its settling does not swallow the run."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            (folder / "a.toml").write_bytes(valid(2))
            assert shelf.entries()["a"].runnable
            assert shelf.flow("a").nodes[0].parameters["count"] == 2
            assert shelf.settle("a.toml", valid(2)) == ["a is loaded", "run a 2"]

    def test_a_new_file_that_was_asked_for_is_still_new(self, folder: Path) -> None:
        """That somebody listed or ran a new file before it settled makes it no save."""
        with shelving(folder) as shelf:
            (folder / "a.toml").write_bytes(valid(1))
            shelf.flow("a")
            assert shelf.settle("a.toml", valid(1)) == ["a is loaded"]

    def test_the_same_content_again_is_nothing(self, folder: Path) -> None:
        """Content that has settled before does not settle again."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            assert shelf.settle("a.toml", valid(1)) == []

    def test_problems_are_reported_after_a_second_look(self, folder: Path) -> None:
        """A file that fails to load gets another quiet time; then its problems are said, once."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            assert shelf.settle("a.toml", BROKEN) == ["look again at a.toml"]
            assert shelf.settle("a.toml", BROKEN, second_look=True) == ["a is broken: FLOW-008, runnable"]
            assert shelf.settle("a.toml", BROKEN) == []

    def test_half_written_content_is_never_reported(self, folder: Path) -> None:
        """When the second look finds the whole, only that is told."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            assert shelf.settle("a.toml", HALF) == ["look again at a.toml"]
            assert shelf.settle("a.toml", valid(2)) == ["a is loaded", "run a 2"]

    def test_no_prefix_of_a_file_does_harm(self, folder: Path) -> None:
        """A save that stops after any byte is looked at again or loaded, and the whole is loaded in the end."""
        whole = valid(7, 'name = "\u00fcn\u00ef"\nvariables.n = { type = "integer", default = 3 }')
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            for length in range(len(whole)):
                shelf.settle("a.toml", valid(1))
                told = shelf.settle("a.toml", whole[:length])
                assert told in (["look again at a.toml"], ["a is loaded", f"run a {told[-1].split()[-1]}"]), (
                    length
                )
                assert shelf.flow("a").id == "a"
            assert shelf.settle("a.toml", whole) == ["a is loaded", "run a 7"]

    def test_a_half_written_new_file_is_new_all_the_same(self, folder: Path) -> None:
        """The whole of a file that was first seen half written is its first content: no save."""
        with shelving(folder) as shelf:
            assert shelf.settle("a.toml", HALF) == ["look again at a.toml"]
            assert shelf.settle("a.toml", valid(1)) == ["a is loaded"]

    def test_what_was_broken_and_is_as_before_is_not_run(self, folder: Path) -> None:
        """Back to the version that ran last: loaded, and nothing to run."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            shelf.settle("a.toml", valid(2))
            shelf.settle("a.toml", BROKEN, second_look=True)
            assert shelf.settle("a.toml", valid(2)) == ["a is loaded"]
            assert shelf.settle("a.toml", valid(1)) == ["a is loaded", "run a 1"], (
                "an older version is a change"
            )

    def test_a_file_broken_from_the_start_runs_when_it_is_repaired(self, folder: Path) -> None:
        """The save that makes a known file valid is a save."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", BROKEN, first_scan=True)
            assert shelf.settle("a.toml", BROKEN, second_look=True) == ["a is broken: FLOW-008"]
            assert shelf.settle("a.toml", valid(1)) == ["a is loaded", "run a 1"]

    def test_on_save_off_is_loaded_and_not_run(self, folder: Path) -> None:
        """A flow that wants no runs on save gets none; switching it on again is a save like any other."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            off = valid(2, 'settings.on_save = "off"')
            assert shelf.settle("a.toml", off) == ["a is loaded"]
            assert shelf.settle("a.toml", valid(3)) == ["a is loaded", "run a 3"]

    def test_a_rename_is_followed(self, folder: Path) -> None:
        """The old flow goes, the new one is new: loaded, not run."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            (folder / "a.toml").rename(folder / "b.toml")
            assert shelf.tell(FileGone(path=str(folder / "a.toml"))) == ["a is removed"]
            assert shelf.settle("b.toml", valid(1)) == ["b is loaded"]
            assert list(shelf.entries()) == ["b"]

    def test_a_file_that_cannot_be_read_stays_runnable(self, folder: Path) -> None:
        """Permissions taken away break a flow without taking its last valid version; given back, nothing runs."""
        error = ErrorInfo("WATCH-001", "a.toml cannot be read: Permission denied")
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            path = str(folder / "a.toml")
            assert shelf.tell(FileUnreadable(path=path, error=error)) == ["a is broken: WATCH-001, runnable"]
            assert shelf.settle("a.toml", valid(1)) == ["a is loaded"]

    def test_a_file_that_went_before_it_was_known_is_nothing(self, folder: Path) -> None:
        """Of a file that nobody loaded nobody is told that it went."""
        with shelving(folder) as shelf:
            assert shelf.tell(FileGone(path=str(folder / "a.toml"))) == []

    def test_another_incarnation_knows_what_the_last_one_knew(self, folder: Path) -> None:
        """A shelf started anew keeps the last valid versions, and what was saved before is not saved again."""
        book = ShelfBook()
        with shelving(folder, book=book) as shelf:
            shelf.settle("a.toml", valid(1), first_scan=True)
            shelf.settle("a.toml", BROKEN, second_look=True)
        with shelving(folder, book=book) as shelf:
            assert shelf.flow("a").nodes[0].parameters["count"] == 1
            assert shelf.settle("a.toml", valid(1)) == ["a is loaded"]


def type_problem(line: int, message: str = "wrong") -> Problem:
    return Problem(code="NODE-001", message=message, file="/f/nodes/make.py", line=line, column=1)


class TestTypes:
    def test_flows_are_checked_again_when_their_types_change(self, folder: Path) -> None:
        """A flow whose type goes is broken, and its last valid version runnable; it is loaded when the type is back."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1))
            shelf.catalogue.change(without="make")
            gone, again = shelf.tell(TypesChanged()), shelf.tell(TypesChanged())
            shelf.catalogue.change()

            assert (gone, again) == (["a is broken: FLOW-008, runnable"], [])
            assert shelf.tell(TypesChanged()) == ["a is loaded"]

    def test_who_asks_first_sees_the_change_and_hides_it_from_nobody(self, folder: Path) -> None:
        """A flow that was asked for after the change is judged by the types of now; that is published all the same."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1))
            shelf.catalogue.change(without="make")
            seen = [problem.code for problem in shelf.entries()["a"].problems]

            assert seen == ["FLOW-008"]
            assert shelf.tell(TypesChanged()) == ["a is broken: FLOW-008, runnable"]

    def test_flows_of_fixed_types_are_left_alone(self, folder: Path) -> None:
        """A valid flow that uses only types that never change is not loaded again."""
        with shelving(folder) as shelf:
            shelf.catalogue.fixed = frozenset({"make"})
            shelf.settle("a.toml", valid(1))
            shelf.catalogue.change(without="make")

            assert shelf.tell(TypesChanged()) == []
            assert shelf.entries()["a"].problems == ()

    def test_a_flow_that_waits_for_its_type_is_loaded_and_not_run(self, folder: Path) -> None:
        """A flow saved before its type was written is valid once the type is there; nobody saved it, so it waits."""
        with shelving(folder) as shelf:
            shelf.catalogue.change(without="make")
            shelf.settle("a.toml", valid(1))
            broken = shelf.settle("a.toml", valid(1), second_look=True)
            shelf.catalogue.change()

            assert broken == ["a is broken: FLOW-008"]
            assert shelf.tell(TypesChanged()) == ["a is loaded"]

    def test_a_removed_flow_is_not_checked(self, folder: Path) -> None:
        """What is gone is not spoken of again."""
        with shelving(folder) as shelf:
            shelf.settle("a.toml", valid(1))
            (folder / "a.toml").unlink()
            shelf.tell(FileGone(path=str(folder / "a.toml")))
            shelf.catalogue.change(without="make")

            assert shelf.tell(TypesChanged()) == []

    def test_a_broken_type_is_a_warning_once_a_change(self, folder: Path) -> None:
        """Each new fault of a file is one warning, with its place; that it is mended is said as well."""
        with shelving(folder) as shelf:
            said: list[list[object]] = []
            for problems in [(type_problem(3), type_problem(4)), (type_problem(5),), (type_problem(5),), ()]:
                shelf.catalogue.change(*problems)
                said.append(shelf.tell(TypesChanged()))

        warning = "warning: a node type cannot be used: nodes/make.py, line"
        assert said == [
            [f"{warning} 3: wrong (and 1 more: atomiton check)"],
            [f"{warning} 5: wrong"],
            [],
            ["info: the node type in nodes/make.py is in order again, or gone"],
        ]

    def test_types_that_are_broken_at_the_start_are_said(self, folder: Path) -> None:
        """A shelf that begins to be watched looks at the types itself; without a watcher nobody listens."""
        for watch, expected in [(True, 1), (False, 0)]:
            shelf = Shelf(folder, Address("FlowShelf", Rank.SHELF))
            shelf.catalogue.problems = (type_problem(1),)
            with shelving(folder, watch=watch, shelf=shelf):
                shelf.entries()
                assert len(shelf.bus.all_so_far()) == expected


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the shelf does with files, in order: `stat a.toml` for a glance at one, `read a.toml` for its content."""
    done: list[str] = []

    def noted(what: str, look: Callable[[str], object]) -> Callable[[str], object]:
        def note_and_look(path: str) -> object:
            done.append(f"{what} {Path(path).name}")
            return look(path)

        return note_and_look

    monkeypatch.setattr(flow_reading, "file_signature", noted("stat", flow_files.file_signature))
    for module in (flow_reading, flow_sources):
        monkeypatch.setattr(module, "look_at", noted("read", flow_files.look_at))
    return done


@pytest.mark.parametrize("watch", [True, False])
def test_only_the_flows_that_are_asked_about_are_looked_at(
    folder: Path, looks: list[str], watch: bool
) -> None:
    """One question about one flow is one look at one file, however many there are; it is read when it has changed."""
    for number in range(20):
        (folder / f"f{number}.toml").write_bytes(valid(1))
    with shelving(folder, watch=watch) as shelf:
        shelf.entries()
        looks.clear()

        assert ["f7"] == list(shelf.entries("f7"))
        assert looks == ["stat f7.toml"]
        for name in ("f7", "f8"):
            (folder / f"{name}.toml").write_bytes(BROKEN)
        looks.clear()
        assert [1] == [len(entry.problems) for entry in shelf.entries("f7").values()]
        assert looks == ["stat f7.toml", "read f7.toml"]


def test_flows_that_the_folder_does_not_hold_are_left_out(folder: Path, tmp_path: Path) -> None:
    """Neither what is not there is answered, nor a flow elsewhere, though it was loaded by its path."""
    (folder / "a.toml").write_bytes(valid(1))
    (folder / "new.toml").write_bytes(valid(1))
    (tmp_path / "b.toml").write_bytes(valid(1))
    with shelving(folder, watch=False) as shelf:
        shelf.flow("a")
        shelf.flow(str(tmp_path / "b.toml"))

        assert ["a", "new"] == list(shelf.entries("a", "new", "gone", str(tmp_path / "b"), "../b"))
        assert [] == list(shelf.entries(str(tmp_path / "b")))
        (folder / "a.toml").unlink()
        assert [] == list(shelf.entries("a"))


def test_what_the_shelf_has_read_is_not_read_again_because_the_watcher_tells_it_too(
    folder: Path, looks: list[str]
) -> None:
    """The first scan tells of content that is known already: the next question is one glance at each file."""
    (folder / "a.toml").write_bytes(valid(1))
    with shelving(folder) as shelf:
        shelf.entries()
        looks.clear()
        message = FileSettled(path=str(folder / "a.toml"), content=valid(1), first_scan=True)
        shelf.address.tell(message)
        shelf.entries()
        assert looks == ["stat a.toml"]

        (folder / "a.toml").write_bytes(valid(2))
        looks.clear()
        shelf.address.tell(message)  # of before that: what is there now is read all the same
        assert shelf.flow("a").nodes[0].parameters.get("count") == 2
        assert looks == ["stat a.toml", "read a.toml"]
