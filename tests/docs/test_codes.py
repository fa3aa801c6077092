"""Every error code is in exactly one table, and every code that the source names is in one."""

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "atomiton_runtime"
CODE = re.compile(r"\b[A-Z]{3,8}-\d{3}\b")


def tables() -> dict[str, dict[str, str]]:
    """Return module -> its table of codes."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(PACKAGE.rglob("codes.py"))
    ]
    return {name: importlib.import_module(name).CODES for name in names}


def test_a_code_has_one_meaning() -> None:
    """Where two tables list a code they agree on what it means, and each code has the form PREFIX-NNN."""
    meanings: dict[str, set[str]] = {}
    for table in tables().values():
        for code, meaning in table.items():
            meanings.setdefault(code, set()).add(meaning)

    assert {code: found for code, found in meanings.items() if len(found) > 1} == {}
    assert [code for code in meanings if not CODE.fullmatch(code)] == []


def test_every_code_in_use_is_explained() -> None:
    """A code that the source names stands in a table, and so in docs/errors.md."""
    known = {code for table in tables().values() for code in table}
    used = {
        code: path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*.py")
        for code in re.findall(r'"([A-Z]{3,8}-\d{3})"', path.read_text(encoding="utf-8"))
    }

    assert {code: path for code, path in used.items() if code not in known} == {}


def test_every_explained_code_is_in_use() -> None:
    """A code in a table is raised, or was: a table keeps no code that nothing in the source names."""
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if path.name != "codes.py"
    )
    unused = [code for table in tables().values() for code in table if code not in source]

    assert unused == []
