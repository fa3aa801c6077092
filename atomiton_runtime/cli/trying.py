"""Executes the examples of a node type as flows in fresh folders, and says which do not do what they say."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.nodes.base import Example
from atomiton_runtime.nodes.document import EXAMPLE_NODE, example_toml
from atomiton_runtime.nodes.registry import FOLDER_NAME, CataloguedType
from atomiton_runtime.runtime import Runtime
from atomiton_runtime.scratch import ScratchFolder
from atomiton_runtime.values import preview, to_document

_PATIENCE_S = 60.0
_SHOWN_CHARS = 120
# `reduce` over one item gives exactly this item, whatever its kind.
_INPUT = """
[variables]
given = { type = "array", required = true }

[nodes.given]
type = "transform"
operation = "reduce"
expression = "item"
initial = 0
data = "{{ vars.given }}"

"""


def mismatches(found: CataloguedType, example: Example) -> tuple[str, ...]:
    """Return what an execution of the example does otherwise than the example says; empty: nothing.

    Everything it writes is in a folder of its own, which is gone afterwards - unless it is told to write elsewhere.
    """
    with ScratchFolder() as scratch:
        _prepare(found, example, scratch.path)
        return tuple(_differences(example, scratch.path))


def _prepare(found: CataloguedType, example: Example, folder: Path) -> None:
    for path, content in example.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    if Path(found.source).is_file():
        (folder / FOLDER_NAME).mkdir(exist_ok=True)
        shutil.copy(found.source, folder / FOLDER_NAME)
    text = example_toml(found.name, example)
    if example.input is not None:
        header = f"[nodes.{EXAMPLE_NODE}]\n"
        text = _INPUT + text.replace(header, f'{header}input = "given"\n', 1)
    (folder / f"{EXAMPLE_NODE}.toml").write_text(text, encoding="utf-8")


def _differences(example: Example, folder: Path) -> Iterator[str]:
    given = {} if example.input is None else {"given": [example.input]}
    try:
        with Runtime(folder, "memory:") as runtime:
            document = runtime.run(EXAMPLE_NODE, **given).result(_PATIENCE_S)
    except FlowInvalid as error:
        yield from _about_error(example, error.problems[0].code, error.problems[0].message)
        return
    except (AtomitonError, TimeoutError) as error:
        yield f"it cannot be executed: {error}"
        return
    node = document.nodes[EXAMPLE_NODE]
    if node.error is not None or example.error is not None:
        yield from _about_error(
            example, node.error.code if node.error else None, node.error.message if node.error else ""
        )
        return
    outputs = cast("dict[str, object]", node.outputs or {})
    for port, wanted in (example.outputs or {}).items():
        if outputs.get(port) != to_document(wanted):
            there, expected = preview(outputs.get(port), _SHOWN_CHARS), preview(wanted, _SHOWN_CHARS)
            yield f"`{port}` is {there}, not {expected}"
    yield from _about_files(example, folder)


def _about_error(example: Example, code: str | None, message: str) -> Iterator[str]:
    if code == example.error:
        return
    if code is None:
        yield f"it succeeds, and should fail with {example.error}"
    elif example.error is None:
        yield f"it fails: {message} ({code})"
    else:
        yield f"it fails with {code} ({message}), and should with {example.error}"


def _about_files(example: Example, folder: Path) -> Iterator[str]:
    for path, wanted in example.files_after.items():
        try:
            there = (folder / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield f"the file `{path}` cannot be read: {error}"
            continue
        if there != wanted:
            yield f"the file `{path}` holds {preview(there, _SHOWN_CHARS)}, not {preview(wanted, _SHOWN_CHARS)}"
