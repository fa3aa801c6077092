"""Every code that storage raises is in its table, and every row is used."""

import re
from pathlib import Path

import atomiton_runtime.storage as storage
from atomiton_runtime.storage.codes import CODES


def test_the_table_is_what_the_code_raises() -> None:
    """The codes in the sources and in the table are the same."""
    folder = Path(storage.__file__).parent
    sources = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "codes.py")

    assert set(CODES) == set(re.findall(r'"(STORE-\d{3})"', sources))
