"""Reads the console blocks of a page, executes their commands, and compares what they print."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.doubles.terminal import DEADLINE_S, command, environment

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_VARYING = (
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "01M85EXAMPLERUN00000000000"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?"), "2026-11-23T19:15:00Z"),
    (re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b"), "19:15:00.123"),
    (re.compile(r"(<1|\b\d+(\.\d+)?) (ms|s)\b"), "4 ms"),
    (re.compile(r'"duration_s":[\d.e-]+'), '"duration_s":0.004'),
    (re.compile(r'"flow_hash":"[0-9a-f]{64}"'), '"flow_hash":"5d41..."'),
)
_BLANKS = re.compile(r" {2,}")


def commands_and_outputs(page: str) -> Iterator[tuple[str, str]]:
    """Yield each `$ command` of the console blocks with what the page says it prints."""
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            yield line, output


def printed(line: str, folder: Path) -> str:
    """Return what the command line prints in `folder` (stdout and stderr together)."""
    program, *arguments = line.split()
    words = command(*arguments) if program == "atomiton" else [program, *arguments]
    environ = environment(
        folder,
        COLUMNS="80",
        XDG_CONFIG_HOME=str(folder / ".config"),
        XDG_DATA_HOME=str(folder / ".local" / "share"),
    )
    done = subprocess.run(
        words,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    return done.stdout.replace(str(folder), "~")


def steady(output: str) -> str:
    """Return the output with what differs from run to run made equal: ids, times, the widths of columns."""
    for pattern, instead in _VARYING:
        output = pattern.sub(instead, output)
    return "\n".join(_BLANKS.sub("  ", line).rstrip() for line in output.splitlines())
