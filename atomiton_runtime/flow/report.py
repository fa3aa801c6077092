"""Gives findings their places in the file, and so makes problems of them."""

import re
from collections.abc import Iterable

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
