"""A canary: the value of a secret goes through every node that can carry it, and is found in no sink."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from atomiton_runtime import Runtime
from atomiton_runtime.secrecy.sources import SecretsFile
from tests.doubles.terminal import atomiton

CANARY = 'kanarie\'s "7f3a91bc"/+&é'
SPELLED = (
    CANARY,
    "7f3a91bc",
    json.dumps(CANARY)[1:-1],
    quote(CANARY, safe=""),
    base64.b64encode(CANARY.encode()).decode()[4:-4],
    CANARY.encode().hex(),
)

FLOW = """\
[nodes.shell]
type = "shell-command"
program = "sh"
args = ["-c", '''
printf '%s\\n' "$T"; printf '%s' "$T" | base64; printf '%s' "$T" | od -An -tx1 | tr -d ' \\n'; printf '%s\\n' "$T" >&2
env | grep ATOMITON_SECRET_ || true
''']
env = { T = "{{ secrets.TOKEN }}" }

[nodes.fields]
type = "edit-fields"
values = { plain = "{{ secrets.TOKEN }}", url = "{{ secrets.TOKEN | urlencode }}", deep = ["a{{ secrets.TOKEN }}b"] }

[nodes.big]
type = "edit-fields"
values = { text = "{{ (secrets.TOKEN ~ 'x') * 300000 }}" }

[nodes.python]
type = "python"
input = "shell"
code = '''
import os
def run(input):
    print("token:", os.environ.get("ATOMITON_SECRET_TOKEN"), input)
    raise ValueError(input)
'''
on_error = "continue"

[nodes.fails]
type = "shell-command"
program = "sh"
args = ["-c", "echo \\"refused: $T\\" >&2; exit 3"]
env = { T = "{{ secrets.TOKEN }}" }
on_error = "continue"

[nodes.missing]
type = "file-system"
operation = "read"
path = "{{ secrets.TOKEN }}.txt"
on_error = "continue"

[nodes.web]
type = "http-request"
url = "URL?key={{ secrets.TOKEN | urlencode }}"
headers = { "X-Token" = "{{ secrets.TOKEN | urlencode }}" }
on_error = "continue"

[nodes.refused]
type = "http-request"
url = "http://127.0.0.1:9/{{ secrets.TOKEN | urlencode }}"
on_error = "continue"

[nodes.each]
type = "loop"
items = "{{ [secrets.TOKEN] }}"
on_error = "continue"

[nodes.each.nodes.inner]
type = "edit-fields"
values = { a = "{{ item }}" }
"""


def sightings(text: str) -> list[str]:
    """Return the spellings of the canary in `text`."""
    return [form for form in SPELLED if form in text]


@pytest.fixture
def flows(tmp_path: Path, httpserver: HTTPServer) -> Path:
    """A folder with the flow, and a server that repeats what it is sent."""

    def repeat(request: Request) -> Response:
        return Response(json.dumps({"sent": request.args["key"], "header": request.headers["X-Token"]}))

    httpserver.expect_request("/echo").respond_with_handler(repeat)
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "canary.toml").write_text(FLOW.replace("URL", httpserver.url_for("/echo")), encoding="utf-8")
    return folder


@pytest.mark.parametrize("place", ["environment", "file"])
def test_no_sink_has_it(tmp_path: Path, flows: Path, place: str) -> None:
    """Terminal, JSON, journal, log, large values, history: every file and every word the program writes."""
    environment = {}
    if place == "environment":
        environment["ATOMITON_SECRET_TOKEN"] = CANARY
    else:
        SecretsFile(tmp_path / "data").set("TOKEN", CANARY)
    said = atomiton(tmp_path, "run", "canary", **environment)
    assert "***" in said.stdout + said.stderr
    run = json.loads(atomiton(tmp_path, "show", "last", "--json").stdout)
    states = {name: node["status"] for name, node in run["nodes"].items()}
    assert states["shell"] == states["web"] == states["fields"] == "succeeded", run
    assert run["nodes"]["each"]["error"]["code"] == "SECRET-005"
    assert "***" in run["nodes"]["fails"]["error"]["message"]
    shown = [
        atomiton(tmp_path, *words)
        for words in (
            ("show", "last"),
            ("logs", "last"),
            ("logs", "last", "--json"),
            ("history",),
            ("secrets", "list"),
            ("doctor",),
            ("check",),
        )
    ]
    for done in (said, *shown):
        assert sightings(done.stdout + done.stderr) == [], done.args
    files = [
        path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.name != "secrets.toml"
    ]
    assert max(path.stat().st_size for path in files) > 1_000_000
    for path in files:
        assert sightings(path.read_bytes().decode("utf-8", "replace")) == [], path
    assert sightings((tmp_path / "flows" / "canary.toml").read_text()) == []


def test_events_and_the_log_have_none(
    tmp_path: Path, flows: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a program that embeds the runtime is told: events, notices, documents, the log."""
    monkeypatch.setenv("ATOMITON_SECRET_TOKEN", CANARY)
    told: list[object] = []
    caplog.set_level(0)
    with Runtime(flows, "memory:", data=tmp_path / "data") as runtime:
        end = runtime.subscribe(told.append)
        run = runtime.run("canary")
        run.result(timeout_s=60)
        document = runtime.show(run.id)
        end()
    assert document.nodes["shell"].status == "succeeded"
    assert len(told) > 10
    assert sightings(repr(told)) == []
    assert sightings(repr(document)) == []
    ours = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]  # the server's own
    assert sightings("".join(ours)) == []


def test_programs_do_not_inherit_it(tmp_path: Path) -> None:
    """Neither a command, nor Python code, nor an expression sees the variable of a secret."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "env.toml").write_text(
        '[nodes.a]\ntype = "shell-command"\nprogram = "env"\n'
        '[nodes.b]\ntype = "python"\ncode = """\nimport os\n'
        'def run():\n    return [name for name in os.environ if "SECRET" in name]\n"""\n'
        '[nodes.c]\ntype = "edit-fields"\nvalues = { a = "{{ env.ATOMITON_SECRET_A | default(\'none\') }}" }\n'
    )
    assert atomiton(tmp_path, "run", "env", ATOMITON_SECRET_A="canary-7f3a91bc").returncode == 0
    run = json.loads(atomiton(tmp_path, "show", "last", "--json").stdout)
    assert "PATH=" in run["nodes"]["a"]["outputs"]["stdout"]
    assert "canary" not in json.dumps(run)
    assert run["nodes"]["b"]["outputs"]["result"] == []


def test_the_command_keeps_lists_and_removes(tmp_path: Path) -> None:
    """A value comes from standard input, is never shown, and is used by the next run."""
    (tmp_path / "flows").mkdir()
    flow = '[nodes.a]\ntype = "edit-fields"\nvalues = { n = "{{ secrets.KEY | length }}" }\n'
    (tmp_path / "flows" / "len.toml").write_text(flow)
    assert "Commands:" in atomiton(tmp_path, "secrets").stdout
    missing = atomiton(tmp_path, "run", "len")
    assert (missing.returncode, "SECRET-001" in missing.stderr) == (1, True)
    assert "no secrets" in atomiton(tmp_path, "secrets", "list").stderr
    kept = atomiton(tmp_path, "secrets", "set", "KEY", given="canary-value\n")
    assert (kept.returncode, "canary" in kept.stdout + kept.stderr) == (0, False)
    listed = json.loads(atomiton(tmp_path, "secrets", "list", "--json", ATOMITON_SECRET_B="12345").stdout)
    assert listed == [{"name": "B", "place": "environment"}, {"name": "KEY", "place": "file"}]
    assert "KEY" in atomiton(tmp_path, "secrets", "list").stdout
    assert '"n":12' in atomiton(tmp_path, "run", "len", "--json").stdout
    assert atomiton(tmp_path, "secrets", "remove", "KEY").returncode == 0
    again = atomiton(tmp_path, "secrets", "remove", "KEY")
    assert (again.returncode, "SECRET-001" in again.stderr) == (2, True)


@pytest.mark.parametrize(("name", "value"), [("1a", "long enough"), ("a-b", "long enough"), ("A", "abc\n")])
def test_what_cannot_be_a_secret(tmp_path: Path, name: str, value: str) -> None:
    """A wrong name, or a value that is too short to be hidden."""
    done = atomiton(tmp_path, "secrets", "set", name, given=value)
    assert (done.returncode, "SECRET-004" in done.stderr) == (2, True)


def test_a_keyring_that_is_not_there(tmp_path: Path) -> None:
    """Said without a traceback, with the other way."""
    done = atomiton(tmp_path, "secrets", "set", "KEY", "--keyring", given="canary")
    assert (done.returncode, "SECRET-006" in done.stderr) == (2, True)
    assert not (tmp_path / "data" / "secrets.toml").exists()


def test_argv_of_the_runtime_has_none(tmp_path: Path, flows: Path) -> None:
    """While it runs, no process of ours but the command itself shows the value in its arguments."""
    (flows / "wait.toml").write_text(
        '[nodes.a]\ntype = "shell-command"\nprogram = "sh"\n'
        "args = [\"-c\", \"for p in /proc/[0-9]*/cmdline; do tr '\\\\0' ' ' < $p; echo; done 2>/dev/null\"]\n"
        'env = { T = "{{ secrets.TOKEN }}" }\n'
    )
    said = atomiton(tmp_path, "run", "wait", "--json", ATOMITON_SECRET_TOKEN=CANARY)
    assert said.returncode == 0
    assert "***" not in said.stdout
    assert "atomiton_runtime" in said.stdout
