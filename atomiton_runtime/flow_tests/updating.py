"""Takes over what came as what failed tests expect: the one place where a flow file is changed."""

import contextlib
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from atomiton_runtime.errors import UsageError, Where
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.rewriting import Change, rewrite
from atomiton_runtime.flow.source import MAX_BYTES
from atomiton_runtime.flow_tests.content import content_of
from atomiton_runtime.flow_tests.execution import TestOutcome
from atomiton_runtime.values import Value


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """An expected value of a flow file that was replaced by what came, or could not be."""

    where: Where
    name: str
    """Of the test."""
    expected: str
    """What was replaced: `active`, or `active.count`."""
    refused: str | None = None
    """Why it was not."""


def update(flow: Flow, outcomes: Sequence[TestOutcome]) -> tuple[Update, ...]:
    """Replace the values that failed tests of a flow expect by those that came, in the flow's file.

    Raises:
        UsageError: the file is another one by now, or cannot be written (TEST-001, TEST-002).
    """
    other = [
        (outcome, mismatch)
        for outcome in outcomes
        for mismatch in outcome.mismatches
        if mismatch.got is not msgspec.UNSET
    ]
    if not other:
        return ()
    content = content_of(flow)
    if content is None:
        raise UsageError(
            "TEST-001", f"{flow.path} has changed while its tests were executed", hint="try again"
        )
    rewritten = rewrite(content, [Change(mismatch.path, cast(Value, mismatch.got)) for _, mismatch in other])
    if len(rewritten.content) > MAX_BYTES:
        raise UsageError(
            "TEST-002",
            f"with what came, {flow.path} would be larger than a flow may be",
            hint="expect something of a large value by `when`",
        )
    if rewritten.content != content:
        _write(Path(flow.path), rewritten.content)
    refused = {change.path: why for change, why in rewritten.refused}
    return tuple(
        Update(
            where=mismatch.where or Where(flow.path, outcome.line, 1),
            name=outcome.name,
            expected=f"{mismatch.node}.{mismatch.port}",
            refused=refused.get(mismatch.path),
        )
        for outcome, mismatch in other
    )


def _write(path: Path, content: bytes) -> None:
    """Replace the file, or the one that a link leads to, by one that is whole."""
    target = path.resolve()
    draft = target.with_name(f".{target.name}.new")  # no name of a flow: nobody runs it
    try:
        draft.write_bytes(content)
        draft.chmod(stat.S_IMODE(target.stat().st_mode))
        draft.replace(target)
    except OSError as exc:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise UsageError("TEST-002", f"{path} cannot be written: {exc.strerror or exc}") from exc
