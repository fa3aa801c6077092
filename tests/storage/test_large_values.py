"""Large values travel as files, small ones as they are, and nobody reads a file he must not."""

import os
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import StorageError
from atomiton_runtime.storage import large_values
from atomiton_runtime.storage.large_values import LargeValues, large_value
from atomiton_runtime.values import LARGE_VALUE_BYTES, UnsupportedValue, Value

LARGE = "x" * LARGE_VALUE_BYTES
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["$file", "size_bytes", "a", "ä"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(params=["folder", "power", "temporary"])
def values(request: pytest.FixtureRequest, tmp_path: Path):
    made = {
        "folder": lambda: LargeValues(tmp_path / "values"),
        "power": lambda: LargeValues(tmp_path / "values", sync=True),
        "temporary": LargeValues,
    }[request.param]()
    yield made
    made.close()


def files_of(raw: msgspec.Raw) -> list[str]:
    return [path.name for path in Path(msgspec.json.decode(raw)["$file"]).parent.iterdir()]


def test_small_values_stay_in_the_journal(values: LargeValues) -> None:
    """A small value travels as its JSON and creates neither folder nor file."""
    packed = values.pack({"result": {"a": [1, None, b"\x00"]}, "count": 2})

    assert bytes(packed["result"]) == b'{"a":[1,null,{"$bytes":"AA=="}]}'
    assert values.unpack(packed["result"]) == {"a": [1, None, b"\x00"]}
    assert values.stored_bytes() == 0
    assert values.sweep(()) == 0


@pytest.mark.parametrize("value", [LARGE, {"rows": [LARGE]}, b"\x00" * LARGE_VALUE_BYTES])
def test_large_values_become_files(values: LargeValues, value: Value) -> None:
    """A value over the limit is a file named by its hash, written once, read as a fresh copy."""
    packed = values.pack({"one": value, "two": value})

    assert packed["one"] == packed["two"]
    assert {"$file", "size_bytes"} == set(msgspec.json.decode(packed["one"]))
    assert [large_value(packed["one"]).name] == files_of(packed["one"])
    assert large_value(packed["one"]).size_bytes == values.stored_bytes()
    assert value == values.unpack(packed["one"])
    assert values.unpack(packed["one"]) is not values.unpack(packed["one"])
    assert value == values.resolve(msgspec.json.decode(packed["one"]))


def test_the_limit_is_exact(values: LargeValues) -> None:
    """A JSON of exactly the limit stays, one byte more becomes a file."""
    assert large_value(values.pack({"a": "x" * (LARGE_VALUE_BYTES - 2)})["a"]) is None
    assert large_value(values.pack({"a": "x" * (LARGE_VALUE_BYTES - 1)})["a"]) is not None


@given(value=VALUES)
def test_whatever_is_packed_comes_back(value: Value) -> None:
    """Unpacking what was packed gives an equal value, also when it looks like a marker."""
    values = LargeValues()
    try:
        assert value == values.unpack(values.pack({"port": value})["port"])
    finally:
        values.close()


def test_a_value_that_looks_like_a_marker_reads_no_file(values: LargeValues, tmp_path: Path) -> None:
    """A user's JSON in the shape of a marker comes back as it was, whatever it points to."""
    (tmp_path / "secret").write_text('"secret"')
    ours = msgspec.json.decode(values.pack({"a": LARGE})["a"])
    for forged in (
        {"$file": str(tmp_path / "secret"), "size_bytes": 8},
        {"$file": ours["$file"] + "/../../secret", "size_bytes": 8},
        {"$file": str(tmp_path / ("0" * 64)), "size_bytes": 8},
        {"$file": ours["$file"], "size_bytes": "8"},
        {**ours, "more": 1},
        "text",
    ):
        assert forged == values.unpack(values.pack({"a": forged})["a"])
        assert forged == values.resolve(forged)
    assert ours == values.unpack(values.pack({"a": ours})["a"])


def test_a_marker_from_elsewhere_is_no_file_here(values: LargeValues, tmp_path: Path) -> None:
    """A marker of a journal that names no hash is STORE-008, not a look at the disk."""
    (tmp_path / "secret").write_text('"secret"')
    raw = msgspec.Raw(msgspec.json.encode({"$file": str(tmp_path / "secret"), "size_bytes": 8}))
    with pytest.raises(StorageError) as caught:
        values.unpack(raw)

    assert caught.value.code == "STORE-008"


def test_a_moved_folder_still_finds_its_values(tmp_path: Path) -> None:
    """Markers written before the data folder was moved are found by their hash."""
    packed = LargeValues(tmp_path / "old").pack({"a": LARGE})
    (tmp_path / "old").rename(tmp_path / "new")

    assert LargeValues(tmp_path / "new").unpack(packed["a"]) == LARGE


def test_a_changed_or_missing_file_is_told(values: LargeValues) -> None:
    """A value is never silently another one: STORE-008 when its file changed or is gone."""
    raw = values.pack({"a": LARGE})["a"]
    path = Path(msgspec.json.decode(raw)["$file"])
    for change, words in ((lambda: path.write_bytes(b"1"), "changed"), (path.unlink, "not there")):
        change()
        with pytest.raises(StorageError, match=words) as caught:
            values.unpack(raw)
        assert caught.value.code == "STORE-008"
    assert raw == values.pack({"a": LARGE})["a"]
    assert values.unpack(raw) == LARGE
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError) as caught:
        values.unpack(raw)
    assert caught.value.code == "STORE-011"
    path.rmdir()


def test_the_sweep_keeps_what_is_mentioned_or_young(values: LargeValues) -> None:
    """Old files that no journal mentions go; mentioned ones, young ones and ones asked for again stay."""
    raws = [values.pack({"a": LARGE + str(number)})["a"] for number in range(4)]
    paths = [Path(msgspec.json.decode(raw)["$file"]) for raw in raws]
    unfinished = paths[0].with_name(".new-left-behind")
    unfinished.write_bytes(b"half")
    for path in (*paths[:3], unfinished):
        os.utime(path, (0, 0))
    values.pack({"a": LARGE + "2"})
    freed = values.sweep({paths[0].name})

    assert [path.exists() for path in paths] == [True, False, True, True]
    assert not unfinished.exists()
    assert len(LARGE) < freed < len(LARGE) + 100


def test_the_sweep_does_not_touch_what_is_young(values: LargeValues, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for a moment: a file that is being written must be there when it gets its name."""
    raw = values.pack({"a": LARGE})["a"]
    Path(msgspec.json.decode(raw)["$file"]).with_name(".new-being-written").write_bytes(b"half")
    touched: list[object] = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: touched.append(paths) or real(*paths))
    assert values.sweep(()) == 0
    assert touched == []


def test_what_is_asked_for_while_it_is_swept_goes_back(
    values: LargeValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old file that somebody needs again just then stays."""
    path = Path(msgspec.json.decode(values.pack({"a": LARGE})["a"])["$file"])
    os.utime(path, (0, 0))
    real = os.replace

    def asked_for(source: Path, target: Path) -> None:
        os.utime(source)
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", asked_for)
        assert values.sweep(()) == 0
    assert path.exists()


def test_many_threads_write_the_same_value(values: LargeValues) -> None:
    """Threads that pack the same value at once all get the same whole file."""
    packed: list[msgspec.Raw] = []
    threads = [
        threading.Thread(target=lambda: packed.append(values.pack({"a": LARGE})["a"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(packed) == 8
    assert len(set(map(bytes, packed))) == 1
    assert len(files_of(packed[0])) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in the way of the folder is STORE-002 with the system's words."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Not a directory") as caught:
        LargeValues(tmp_path / "file" / "values").pack({"a": LARGE})

    assert caught.value.code == "STORE-002"


def test_an_unsupported_value_is_named(values: LargeValues) -> None:
    """What has no JSON form is VALUE-001 with its place."""
    with pytest.raises(UnsupportedValue, match=r"a\[0\]"):
        values.pack({"port": {"a": [object()]}})


def test_closing_removes_a_temporary_folder() -> None:
    """A temporary folder is gone after `close`, and a later use begins a new one."""
    values = LargeValues()
    path = Path(msgspec.json.decode(values.pack({"a": LARGE})["a"])["$file"])
    values.close()
    values.close()

    assert not path.parent.exists()
    assert values.stored_bytes() == 0


def test_the_sweep_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    """Files with other names stay, and what cannot be removed stops nobody."""
    values = LargeValues(tmp_path)
    (tmp_path / "README").write_text("mine")
    (tmp_path / ("0" * 64)).mkdir()
    os.utime(tmp_path / ("0" * 64), (0, 0))

    assert values.sweep(()) == 0
    assert (tmp_path / "README").exists()
    assert large_values._size(tmp_path / "swept") == 0


def test_windows_needs_no_folder_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder cannot be opened nothing is tried."""
    missing = tmp_path / "missing"
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        large_values.sync_folder(missing)
    with pytest.raises(FileNotFoundError):
        large_values.sync_folder(missing)


def test_values_that_are_passed_on_are_written_like_others(values: LargeValues) -> None:
    """A list of values that were packed before is the list of these values, however small or large they are."""
    given: list[Value] = ["small", LARGE, {"$file": "no marker", "size_bytes": 1}, b"\x00", LARGE]
    packed = [values.pack({"": value})[""] for value in given]
    mixed = ["a", *(values.encoded(raw) for raw in packed), "z"]

    once, again = (values.pack({"results": each})["results"] for each in (mixed, ["a", *given, "z"]))

    assert large_value(once) == large_value(again), "the same bytes have the same name"
    assert ["a", *given, "z"] == values.unpack(once)
    assert values.unpack(values.pack({"": {"within": values.encoded(packed[2])}})[""]) == {"within": given[2]}


def test_a_large_value_that_cannot_be_read_leaves_no_file(values: LargeValues) -> None:
    """What is written until then is removed again."""
    marker = values.pack({"": LARGE})[""]
    found = large_value(marker)
    assert found is not None
    Path(found.path).write_text("changed")

    with pytest.raises(StorageError, match="was changed"):
        values.pack(
            {
                "": [
                    *map(values.encoded, values.pack({"": "x" * 1000, "b": LARGE + "b"}).values()),
                    values.encoded(marker),
                ]
            }
        )

    assert sorted(path.name[0] == "." for path in Path(found.path).parent.iterdir()) == [False, False]
