import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.run.pages import Pages

SIZES = [0, 1, 31, 32, 33, 64, 10_000]


@pytest.mark.parametrize("size", SIZES)
def test_pages_are_a_sequence(size: int) -> None:
    """Length, order and each element are those of the values it was made from."""
    pages = Pages(range(size))

    assert len(pages) == size
    assert list(pages) == list(range(size))
    assert [pages[index] for index in range(size)] == list(range(size))


@given(st.lists(st.integers(), min_size=1, max_size=200), st.data())
def test_set_is_what_a_list_would_do_and_leaves_the_original(values: list[int], data: st.DataObject) -> None:
    """A series of changes gives what a list gives, and every earlier version is still what it was."""
    pages, expected = Pages(values), list(values)
    versions: list[tuple[Pages[int], list[int]]] = []
    for _ in range(data.draw(st.integers(1, 5))):
        versions.append((pages, list(expected)))
        index = data.draw(st.integers(0, len(values) - 1))
        pages, expected[index] = pages.set(index, -1), -1

    assert list(pages) == expected
    assert len(pages) == len(expected)
    for version, content in versions:
        assert list(version) == content


def test_set_shares_all_but_one_page() -> None:
    """However many elements there are, a change copies one page of them."""
    before = Pages(range(10_000))
    after = before.set(5_000, -1)

    shared = [old is new for old, new in zip(before._pages, after._pages, strict=True)]
    assert shared.count(False) == 1
    assert max(len(page) for page in after._pages) == 32


def test_pages_are_equal_by_content() -> None:
    """Two of the same content are equal, whatever their history; anything else is not."""
    assert Pages([1, 2]) == Pages([1, 3]).set(1, 2)
    assert Pages([1, 2]) != Pages([1, 3])
    assert Pages([1, 2]) != [1, 2]
    with pytest.raises(TypeError):
        hash(Pages([1]))


@pytest.mark.parametrize("index", [-1, -32, -33, 100, 128, 1_000])
def test_an_index_outside_is_refused(index: int) -> None:
    """An index counts from 0; one outside is an error and never another element."""
    pages = Pages(range(100))

    with pytest.raises(IndexError):
        pages[index]
    with pytest.raises(IndexError):
        pages.set(index, 0)
