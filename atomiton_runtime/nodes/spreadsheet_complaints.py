"""Says which parameters of a `spreadsheet` do not fit together, or mean nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.cell_ranges import parse_range
from atomiton_runtime.nodes.scalars import known_later
from atomiton_runtime.nodes.together import Taken, unfit
from atomiton_runtime.nodes.workbook_formats import FORMATS, TEXT_FORMATS, WRITTEN, format_of
from atomiton_runtime.nodes.workbook_writing import sheet_name_fault

_TAKES: Mapping[str, Taken] = {
    "read": Taken(optional=("path", "data", "range", "skip_empty_rows", "infer_types")),
    "write": Taken(needed=("path",)),
}
_OF_TEXT = ("delimiter", "infer_types")
_OF_WORKBOOKS = ("sheet",)
_NO_DELIMITERS = '"\r\n\0'


def complaints_about(parameters: Mapping[str, Any]) -> Iterator[Complaint]:
    """Yield everything that is wrong with the parameters together.

    Args:
        parameters: name -> value, each of its declared type or known later.
    """
    parameters = {"operation": "read", **parameters}
    yield from unfit(parameters, _TAKES)
    yield from _about_source(parameters)
    yield from _about_format(parameters)
    yield from _about_range(parameters)
    yield from _about_sheet(parameters)
    yield from _about_delimiter(parameters)


def _given(parameters: Mapping[str, Any], name: str) -> bool:
    return parameters.get(name) not in (None, UNSET)


def _about_source(parameters: Mapping[str, Any]) -> Iterator[Complaint]:
    if parameters.get("operation") != "read":
        return
    path, data = _given(parameters, "path"), _given(parameters, "data")
    if path and data:
        yield Complaint(
            code="PARAM-007", message="`read` takes either `path` or `data`, not both", path=("data",)
        )
    elif not path and not data:
        hint = 'data = "{{ input }}" reads the text or the bytes that another node gives'
        yield Complaint(code="PARAM-007", message="`read` needs `path` or `data`", hint=hint)


def _about_format(parameters: Mapping[str, Any]) -> Iterator[Complaint]:
    operation, path = parameters.get("operation"), parameters.get("path")
    if operation not in ("read", "write"):
        return
    known = _format(parameters)
    if known is None:
        if isinstance(path, str) and not _given(parameters, "format"):
            message = f'`{operation}` needs `format`: the name "{path}" does not say it'
            hint = f"one of {', '.join(FORMATS if operation == 'read' else WRITTEN)}"
            yield Complaint(code="PARAM-007", message=message, path=("path",), hint=hint)
        return
    if operation == "write" and known not in WRITTEN:
        place = "format" if _given(parameters, "format") else "path"
        hint = f"one of {', '.join(WRITTEN)}"
        message = f"`write` does not make {known} files"
        yield Complaint(code="PARAM-007", message=message, path=(place,), hint=hint)
    for name in _OF_WORKBOOKS if known in TEXT_FORMATS else _OF_TEXT:
        if _given(parameters, name):
            yield Complaint(code="PARAM-007", message=f"{known} does not use `{name}`", path=(name,))


def _about_range(parameters: Mapping[str, Any]) -> Iterator[Complaint]:
    text = parameters.get("range")
    if isinstance(text, str):
        try:
            parse_range(text)
        except ValueError as error:
            message = (
                f'`range` {error}, not "{text}"' if "must" in str(error) else f'`range` "{text}" {error}'
            )
            yield Complaint(code="PARAM-003", message=message, path=("range",))


def _about_sheet(parameters: Mapping[str, Any]) -> Iterator[Complaint]:
    sheet = parameters.get("sheet")
    if parameters.get("operation") != "write" or sheet is None or known_later(sheet):
        return
    fault = sheet_name_fault(sheet) if isinstance(sheet, str) else "is a number: a new sheet needs a name"
    if fault:
        message = f"`sheet` {fault}: {sheet}"
        yield Complaint(code="PARAM-003", message=message, path=("sheet",))


def _about_delimiter(parameters: Mapping[str, Any]) -> Iterator[Complaint]:
    delimiter = parameters.get("delimiter")
    if isinstance(delimiter, str) and (delimiter in _NO_DELIMITERS or "\ud800" <= delimiter <= "\udfff"):
        message = f"`delimiter` cannot be {delimiter!r}, which has another meaning in a table"
        yield Complaint(code="PARAM-003", message=message, path=("delimiter",), hint='such as ";" or "\\t"')


def _format(parameters: Mapping[str, Any]) -> str | None:
    """Return the format if it is known already."""
    if _given(parameters, "format"):
        written = parameters["format"]
        return written if isinstance(written, str) and written in FORMATS else None
    path, operation = parameters.get("path"), parameters.get("operation")
    return format_of(path, operation) if isinstance(path, str) and isinstance(operation, str) else None
