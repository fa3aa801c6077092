"""Gives findings their places in the file, and so makes problems of them."""

import re
from collections.abc import Iterable

from atomiton_runtime.flow.code_lines import line_starts
from atomiton_runtime.flow.findings import Finding
from atomiton_runtime.flow.positions import Place, Positions, Span
from atomiton_runtime.flow.problems import Problem


def make_problems(findings: Iterable[Finding], text: str, file: str) -> tuple[Problem, ...]:
    """Return a problem for each finding, in the order of the file."""
    positions = Positions(text)
    problems = [_problem(finding, positions.find(finding.path), text, file) for finding in findings]
    return tuple(
        sorted(problems, key=lambda problem: (problem.line, problem.column, problem.code, problem.message))
    )


def _problem(finding: Finding, place: Place | None, text: str, file: str) -> Problem:
    span = Span(0, 0) if place is None else place.key if finding.at == "key" else place.value
    if finding.token is not None:
        span = _token_within(span, finding.token, text)
    if finding.within is not None:
        span = _place_within(span, *finding.within, text)
    start = text.rfind("\n", 0, span.start) + 1
    newline = text.find("\n", span.start)
    end = newline if newline >= 0 else len(text)
    return Problem(
        code=finding.code,
        message=finding.message,
        file=file,
        line=text.count("\n", 0, span.start) + 1,
        column=span.start - start + 1,
        source_line=text[start:end],
        width=max(min(span.end, end) - span.start, 1),
        hint=finding.hint,
    )


def _token_within(span: Span, token: str, text: str) -> Span:
    """Return the place of a word inside a value, where it is written there as it is."""
    found = re.compile(rf"(?<![\w.-]){re.escape(token)}(?![\w-])").search(text, span.start, span.end)
    if found is None:
        found = re.compile(rf"(?<!\w){re.escape(token)}(?!\w)").search(text, span.start, span.end)
    return span if found is None else Span(found.start(), found.end())


def _place_within(span: Span, line: int, column: int, text: str) -> Span:
    """Return the word at a line and column of the text that a value is; escapes before it are not counted."""
    starts = line_starts(text[span.start : span.end])
    start = min(span.start + starts[min(line, len(starts)) - 1] + column - 1, span.end - 1)
    word = re.compile(r"\w+").match(text, start, span.end)
    return Span(start, word.end() if word else start + 1)
