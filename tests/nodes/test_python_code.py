"""The node type `python`: real processes, over a whole runtime."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunDocument


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder for flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture
def runtime(flows: Path, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime over that folder."""
    with Runtime(flows=flows, storage="memory:", data=tmp_path / "data") as started:
        yield started


def run(runtime: Runtime, flows: Path, code: str, keys: str = "") -> RunDocument:
    """Run a flow with one python node to its end."""
    text = f"[variables]\nfactor = 3\n\n[nodes.it]\ntype = \"python\"\n{keys}code = '''\n{code}\n'''\n"
    (flows / "it.toml").write_text(text, encoding="utf-8")
    return runtime.run("it").result(timeout_s=50)


def result(document: RunDocument) -> Any:
    """Return what the function returned."""
    assert document.error is None, document.error
    return (document.nodes["it"].outputs or {})["result"]


def failure(document: RunDocument) -> ErrorInfo:
    """Return why the node failed."""
    assert document.error is not None
    return document.error


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def run(input, vars):\n    return vars['factor'] * 2", 6),
        ("def run():\n    return [1, 2.5, None, True, 'ü']", [1, 2.5, None, True, "ü"]),
        ("def run(vars):\n    return b'\\x00\\xff'", {"$bytes": "AP8="}),
        ("async def run(input):\n    return {'a': (1, 2)}", {"a": [1, 2]}),
        ("import datetime\ndef run():\n    return datetime.date(2026, 1, 2)", "2026-01-02"),
        ("def run():\n    return '{{ no template }}' + f'{{{1}}}'", "{{ no template }}{1}"),
    ],
)
def test_values(runtime: Runtime, flows: Path, code: str, expected: object) -> None:
    """Values travel typed; the code is Python and never a template."""
    assert result(run(runtime, flows, code)) == expected


def test_an_exception_has_the_line_of_the_flow(runtime: Runtime, flows: Path) -> None:
    """Its place is the line of the TOML file, innermost."""
    error = failure(
        run(runtime, flows, "def run(input):\n    return deeper(0)\n\ndef deeper(n):\n    return 1 / n")
    )

    assert error.code == "PYTHON-001"
    assert error.where is not None
    assert (error.where.file, error.where.line) == (str(flows / "it.toml"), 11)
    assert "ZeroDivisionError: division by zero" in error.message
    assert "line 8, in run: return deeper(0)" in error.message


def test_code_that_is_no_python_is_found_before_anything_runs(runtime: Runtime, flows: Path) -> None:
    """With the place in the file."""
    with pytest.raises(FlowInvalid) as caught:
        run(runtime, flows, "def run(input):\n    retrun 1 2")
    (problem,) = caught.value.problems

    assert (problem.code, problem.line) == ("PYTHON-002", 8)


@pytest.mark.parametrize(
    ("code", "keys", "expected"),
    [
        ("x = 1", "", "PYTHON-003"),
        ("def run(a, b, c):\n    return 1", "", "PYTHON-003"),
        ("def run():\n    return object()", "", "PYTHON-004"),
        ("def run():\n    return {1: 2}", "", "PYTHON-004"),
        ("def run():\n    return float('nan')", "", "PYTHON-004"),
        ("import os\ndef run():\n    os._exit(3)", "", "PYTHON-008"),
        ("import os, signal\ndef run():\n    os.kill(os.getpid(), signal.SIGKILL)", "", "PYTHON-008"),
        ("def run():\n    raise SystemExit(4)", "", "PYTHON-001"),
        ("def run():\n    return run()", "", "PYTHON-001"),
        ("def run():\n    return len(bytearray(10**9))", 'max_memory = "300MiB"\n', "PYTHON-007"),
        ("def run():\n    return 1", 'python = "no-such-python"\n', "PYTHON-006"),
    ],
)
def test_what_fails(runtime: Runtime, flows: Path, code: str, keys: str, expected: str) -> None:
    """Whatever the code does to its process, it is the failure of its node."""
    assert failure(run(runtime, flows, code, keys)).code == expected


def test_prints_are_the_log_and_an_output(runtime: Runtime, flows: Path) -> None:
    """Lines come while the code runs; what it writes to stderr is in the log as well."""
    document = run(
        runtime,
        flows,
        "import sys\ndef run():\n    print('one')\n    print('two', file=sys.stderr)\n    return 1",
    )
    said = "".join(
        event.text for event in runtime.journal(document.run_id) if isinstance(event, ev.NodeLogged)
    )

    assert (document.nodes["it"].outputs or {})["stdout"] == "one\n"
    assert sorted(said.split()) == ["one", "two"]


def test_the_process_is_kept_and_changed_modules_are_read_again(runtime: Runtime, flows: Path) -> None:
    """A second call is answered by the same process, with the present text of a module beside the flow."""
    code = "import os, beside\ndef run():\n    return [os.getpid(), beside.VALUE]"
    (flows / "beside.py").write_text("VALUE = 1\n", encoding="utf-8")
    first = result(run(runtime, flows, code))
    (flows / "beside.py").write_text("VALUE = 2\n", encoding="utf-8")
    second = result(run(runtime, flows, code))

    assert first[0] == second[0]
    assert (first[1], second[1]) == (1, 2)


def test_a_cancel_ends_the_process_and_all_it_started(runtime: Runtime, flows: Path) -> None:
    """Also one that ignores to be asked, and its children in sessions of their own."""
    code = (
        "import signal, subprocess\ndef run():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "    print('begun', flush=True)\n    while True:\n        pass"
    )
    text = f"[nodes.it]\ntype = \"python\"\ncode = '''\n{code}\n'''\n"
    (flows / "it.toml").write_text(text, encoding="utf-8")
    going_on = runtime.run("it")
    for event in going_on.events(timeout_s=40):
        if isinstance(event, ev.NodeLogged):
            going_on.cancel()

    assert going_on.result(timeout_s=20).status == "cancelled"
    assert psutil.Process().children(recursive=True) == []


def test_what_a_call_leaves_behind_ends_with_it(runtime: Runtime, flows: Path) -> None:
    """A process that goes on is ended, and the worker is not used again."""
    code = (
        "import subprocess\ndef run():\n"
        "    return subprocess.Popen(['sleep', '60'], start_new_session=True).pid"
    )
    pid = result(run(runtime, flows, code))

    assert not psutil.pid_exists(pid)


def test_a_file_and_its_function(runtime: Runtime, flows: Path) -> None:
    """The place of an exception is the line of that file."""
    (flows / "math.toml").write_text(
        '[nodes.it]\ntype = "python"\nfile = "lib/sums.py"\nfunction = "total"\n', encoding="utf-8"
    )
    (flows / "lib").mkdir()
    (flows / "lib" / "sums.py").write_text("def total(input):\n    return input + 1\n", encoding="utf-8")
    error = failure(runtime.run("math").result(timeout_s=50))

    assert error.where is not None
    assert (error.where.file, error.where.line) == (str(flows / "lib" / "sums.py"), 2)
    (flows / "lib" / "sums.py").unlink()
    assert failure(runtime.run("math").result(timeout_s=50)).code == "PYTHON-005"
