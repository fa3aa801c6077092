"""Every flow that ships loads and does what its description says, writing only below out/."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from python_calamine import CalamineWorkbook

from atomiton_runtime import Runtime
from atomiton_runtime.flow_tests.execution import run_tests
from atomiton_runtime.run.document import RunDocument
from tests.doubles.example_web import without_proxies
from tests.doubles.fault_server import Client, FaultServer, answer
from tests.doubles.workbooks import xlsx

FLOWS = Path(__file__).parents[1] / "flows"
NAMES = sorted(path.stem for path in FLOWS.glob("*.toml"))
LIMIT_S = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a copy of the flows and their data; afterwards, nothing but out/ may have changed."""
    folder = tmp_path / "flows"
    shutil.copytree(FLOWS, folder, ignore=shutil.ignore_patterns("out"))
    before = contents(folder)
    yield folder
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Return path -> content of all files that are not below out/."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != "out"
    }


def run(flows: Path, flow: str, /, **variables: object) -> RunDocument:
    """Run a flow to its end."""
    with Runtime(flows=flows, storage="memory:", data=flows.parent / "data") as runtime:
        return runtime.run(flow, **variables).result(timeout_s=LIMIT_S)


def outputs(flows: Path, flow: str, /, **variables: object) -> dict[str, Any]:
    """Run a flow, which has to succeed, and return its outputs: node -> port -> value."""
    document = run(flows, flow, **variables)
    assert document.status == "succeeded", document.error
    return document.outputs


def serve_pages(pages: dict[str, object]) -> FaultServer:
    """Return a server that gives JSON for paths, and 404 for all others; `{url}` in a text becomes its address."""

    def behave(client: Client) -> None:
        request = client.read_request()
        if request.target not in pages:
            client.send(answer(status="404 Not Found"))
            return
        body = json.dumps(pages[request.target]).replace("{url}", client.server.url)
        json_type = {"Content-Type": "application/json"}
        client.send(answer("" if request.method == "HEAD" else body, headers=json_type))

    return FaultServer(behave)


def table(path: Path) -> list[list[object]]:
    """Return the cells of a workbook's first sheet."""
    with path.open("rb") as file, CalamineWorkbook.from_filelike(file) as book:
        return [list(row) for row in book.get_sheet_by_index(0).to_python()]


def test_the_examples_are_there_and_explained() -> None:
    """There are at least sixteen, and each has a description."""
    with Runtime(flows=FLOWS, storage="memory:") as runtime:
        entries = {str(entry.id): entry for entry in runtime.flows()}

    assert [name for name in NAMES if not entries[name].runnable or entries[name].problems] == []
    assert [name for name in NAMES if not entries[name].description] == []
    assert len(NAMES) >= 16


def test_the_table_of_the_examples_is_complete() -> None:
    """It has a line for each flow, with the flow's own description."""
    lines = (FLOWS / "README.md").read_text().splitlines()
    with Runtime(flows=FLOWS, storage="memory:") as runtime:
        expected = {f"[{entry.id}]({entry.id}.toml)": entry.description for entry in runtime.flows()}

    rows = [line.split(" | ") for line in lines if line.startswith("| [")]
    assert {row[0].removeprefix("| ").removesuffix(" *"): row[1] for row in rows} == expected


def test_the_tests_of_the_examples(folder: Path) -> None:
    """The tests that they hold pass, and write nothing at all."""
    with Runtime(flows=folder, storage="memory:", data=folder.parent / "data") as runtime:
        flows = [runtime.flow(name) for name in NAMES]
        outcomes = list(run_tests(runtime, [(flow, test) for flow in flows for test in flow.tests]))

    assert [] == [(each.flow, each.name, each.mismatches) for each in outcomes if each.status == "failed"]
    assert len({each.flow for each in outcomes}) >= 3
    assert not (folder / "out").exists()


def test_hello(folder: Path) -> None:
    """Greets whom the variable names."""
    document = run(folder, "hello", who="you")

    assert document.status == "succeeded", document.error
    assert json.loads((folder / "out/hello.json").read_text()) == {"text": "hello you", "letters": 3}


def test_customers(folder: Path) -> None:
    """Lists the active customers above the minimum, largest first."""
    document = run(folder, "customers", minimum=60)

    assert document.status == "succeeded", document.error
    report = json.loads((folder / "out/customers.json").read_text())
    assert [customer["name"] for customer in report["customers"]] == ["Margaret", "Ada", "Grace"]
    assert report["total"] == 510.75


def test_git_summary(folder: Path, tmp_path: Path) -> None:
    """Counts the changed files of a repository."""
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", repository], check=True)
    (repository / "new.txt").write_text("x")
    document = run(folder, "git-summary", folder=str(repository))

    assert document.status == "succeeded", document.error
    summary = document.outputs["summary"]["result"]
    assert summary == {
        "branch": "No commits yet on main",
        "changed": 1,
        "states": [{"state": "??", "files": 1}],
    }


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "fetched at try 2\n"),
        ({"failures": 9}, "gave up after 3 attempts"),
        ({"report": False}, None),
    ],
)
def test_careful(folder: Path, variables: dict[str, object], text: str | None) -> None:
    """Tries again, goes the other way when that is no use, and tidies up either way."""
    document = run(folder, "careful", **variables)

    assert document.status == "succeeded", document.error
    report = folder / "out/careful.txt"
    assert (report.read_text() if report.exists() else "").startswith(text or "")
    assert report.exists() == (text is not None)
    assert not (folder / "out/tries").exists()


def test_disk_report(folder: Path, tmp_path: Path) -> None:
    """Names the largest files and sums up their kinds."""
    looked_at = tmp_path / "looked at"
    (looked_at / "below").mkdir(parents=True)
    for name, size in [("large.csv", 9), ("a.md", 2), ("below/b.md", 3), ("below/LICENSE", 1)]:
        (looked_at / name).write_bytes(b"x" * size)
    outputs(folder, "disk-report", folder=str(looked_at), limit=1)

    report = json.loads((folder / "out/disk-report.json").read_text())
    assert [file["name"] for file in report["largest"]] == ["large.csv"]
    assert {kind["kind"]: kind["files"] for kind in report["kinds"]} == {"csv": 1, "md": 2, "(none)": 1}


def test_backup_notes(folder: Path) -> None:
    """Copies the notes and logs a line for each time."""
    for _ in range(2):
        document = run(folder, "backup-notes")
        assert document.status == "succeeded", document.error

    log = (folder / "out/backups/log.txt").read_text().splitlines()
    assert [line.partition(": ")[2].partition(",")[0] for line in log] == ["2 notes", "2 notes"]


def test_duplicate_files(folder: Path, tmp_path: Path) -> None:
    """Finds equal files by their content alone, whatever their names are, and the bytes they waste."""
    looked_at = tmp_path / "looked at"
    (looked_at / "below").mkdir(parents=True)
    contents_of = {
        "a": b"twice",
        "below/b \\ \n.txt": b"twice",
        "same size": b"other",
        "empty": b"",
        "none": b"",
    }
    for name, content in contents_of.items():
        (looked_at / name).write_bytes(content)
    outputs(folder, "duplicate-files", folder=str(looked_at))

    assert json.loads((folder / "out/duplicate-files.json").read_text()) == {
        "duplicates": [
            {
                "paths": sorted(str(looked_at / name) for name in ("a", "below/b \\ \n.txt")),
                "wasted_bytes": 5,
            }
        ],
        "wasted_bytes": 5,
    }


def test_git_overview(folder: Path, tmp_path: Path) -> None:
    """Lists the repositories of a folder, also one without a commit, and nothing that is none."""
    projects = tmp_path / "projects"
    (projects / "plain").mkdir(parents=True)
    (projects / "file.txt").write_text("x")
    for name in ("empty", "used"):
        subprocess.run(["git", "init", "-q", "-b", "main", projects / name], check=True)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    commit = ["commit", "-q", "--allow-empty", "--no-gpg-sign", "--date=2026-01-02T03:04:05Z", "-m", "A | B"]
    subprocess.run(
        ["git", *identity, *commit],
        cwd=projects / "used",
        check=True,
        env={"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": "2026-01-02T12:00:00Z", "TZ": "UTC"},
    )
    (projects / "used/new.txt").write_text("x")
    outputs(folder, "git-overview", folder=str(projects))

    assert (folder / "out/git-overview.md").read_text().splitlines()[2:] == [
        "| used | main | 1 | 2026-01-02 A \\| B |",
        "| empty | No commits yet on main | 0 |  |",
    ]


def test_backup_clean_up(folder: Path) -> None:
    """Keeps as many backups as wanted, deletes the oldest, and touches nothing else."""
    backups = folder / "out/dated-backups"
    (backups / "mine").mkdir(parents=True)
    made = [Path(outputs(folder, "backup-clean-up", keep=2)["summary"]["result"]["backup"]) for _ in range(3)]

    assert sorted(path.name for path in backups.iterdir()) == [made[1].name, made[2].name, "mine"]
    assert sorted(path.name for path in made[2].iterdir()) == ["ideas.md", "monday.md"]


def test_mirror_race(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves what the faster mirror gives, and lets go of the slower one."""
    without_proxies(monkeypatch)

    def behave(client: Client) -> None:
        if client.read_request().target.startswith("/slow/"):
            client.reach("asked")
            client.wait_until_gone()
        else:
            client.server.wait_for("asked")  # both are under way
            client.send(answer(b"\x00content"))

    with FaultServer(behave) as server:
        mirrors = {"first": f"{server.url}/slow", "second": f"{server.url}/fast"}
        report = outputs(folder, "mirror-race", file="some/file.bin", **mirrors)["report"]["result"]
        server.wait_for("gone")

    assert report == {"winner": "second", "path": str(folder / "out/mirror/file.bin"), "size_bytes": 8}
    assert (folder / "out/mirror/file.bin").read_bytes() == b"\x00content"


def test_link_checker(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks for each link once, and names those that are broken and the files they are in."""
    without_proxies(monkeypatch)
    site = tmp_path / "site"
    site.mkdir()
    with serve_pages({"/good": "", "/better": ""}) as server:
        (site / "a.md").write_text(f"See [this]({server.url}/good#part), and {server.url}/gone.\n")
        (site / "b.html").write_text(
            f"<a href=\"{server.url}/better\">b</a> <a href='{server.url}/gone'>c</a>"
        )
        (site / "c.txt").write_text(f"{server.url}/not-asked-for")
        outputs(folder, "link-checker", folder=str(site))
        asked = sorted(f"{each.method} {each.target}" for each in server.requests)
        gone = f"{server.url}/gone"

    assert asked == ["HEAD /better", "HEAD /gone", "HEAD /good"]
    report = json.loads((folder / "out/links.json").read_text())
    assert report["good"] == 2
    assert [(each["url"], sorted(each["files"])) for each in report["broken"]] == [
        (gone, [str(site / "a.md"), str(site / "b.html")])
    ]
    assert "404" in report["broken"][0]["problem"]


def test_link_checker_without_links(folder: Path, tmp_path: Path) -> None:
    """A folder without any link is no failure."""
    (tmp_path / "empty").mkdir()
    report = outputs(folder, "link-checker", folder=str(tmp_path / "empty"))

    assert json.loads(Path(report["save"]["path"]).read_text())["broken"] == []


def test_link_checker_without_folder(folder: Path) -> None:
    """A folder that is not there is not one without links."""
    document = run(folder, "link-checker", folder="missing")

    assert document.status == "failed"
    assert document.error is not None
    assert "missing" in document.error.message


def test_paged_api(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Follows the pages to the last one, and keeps all items in order."""
    without_proxies(monkeypatch)
    pages: dict[str, object] = {
        "/items": {"data": [1, 2], "next": "{url}/items?page=2"},
        "/items?page=2": {"data": [], "next": "{url}/items?page=3"},
        "/items?page=3": {"data": [3], "next": None},
    }
    with serve_pages(pages) as server:
        variables: dict[str, object] = {"url": f"{server.url}/items", "items": "data"}
        summary = outputs(folder, "paged-api", **variables)["summary"]["result"]
        endless = run(folder, "paged-api", pages=2, **variables)

    assert (summary["pages"], summary["items"]) == (3, 3)
    assert json.loads((folder / "out/paged-api.json").read_text()) == [1, 2, 3]
    assert endless.error is not None
    assert endless.error.code == "LOOP-002"


def test_photo_thumbnails(folder: Path, tmp_path: Path) -> None:
    """Makes a small copy of each photo, and tells which one is broken."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, size in [("wide.JPG", (900, 300)), ("wide.png", (300, 600))]:
        Image.new("RGB", size, "navy").save(photos / name)
    (photos / "broken.png").write_bytes(b"no image")
    (photos / "notes.txt").write_text("x")
    summary = outputs(folder, "photo-thumbnails", photos=str(photos), size=150)["summary"]["result"]

    assert summary["made"] == 2
    assert [each["index"] for each in summary["failed"]] == [0]
    assert "broken.png" in summary["failed"][0]["message"]
    sizes = dict[str, tuple[int, int]]()
    for path in map(Path, summary["thumbnails"]):
        with Image.open(path) as thumbnail:
            sizes[path.name] = thumbnail.size
            darkest, lightest = thumbnail.convert("L").getextrema()
            assert lightest != darkest, "no mark"
    assert sizes == {"wide.JPG.webp": (150, 50), "wide.png.webp": (75, 150)}


def test_notes_overview(folder: Path) -> None:
    """Calls `text-facts` for each note, and adds up what it returns."""
    outputs(folder, "notes-overview")

    assert (folder / "out/notes.md").read_text().splitlines()[2:] == [
        "| ideas.md | Ideas | 3 | 10 |",
        "| monday.md | Monday | 3 | 6 |",
        "| all | | 6 | 16 |",
    ]


def test_disk_alarm(folder: Path) -> None:
    """Fails with a readable reason above the limit, and only then."""
    quiet = run(folder, "disk-alarm", limit=100)
    alarm = run(folder, "disk-alarm", limit=0)

    assert quiet.status == "succeeded", quiet.error
    assert alarm.status == "failed"
    assert alarm.error is not None
    assert "% full: " in alarm.error.message


def test_invoice_totals(folder: Path, tmp_path: Path) -> None:
    """Sums up workbooks and CSV files alike."""
    invoices = tmp_path / "invoices"
    invoices.mkdir()
    (invoices / "a.csv").write_text("Client,Net\nAda,0.10\nGrace,5\n")
    (invoices / "notes.txt").write_text("x")
    (invoices / "b.xlsx").write_bytes(xlsx(["Client", "Net"], ["Ada", 0.2], ["Ada", 10]))
    target = tmp_path / "totals.xlsx"
    columns = {"customer": "Client", "amount": "Net"}
    outputs(folder, "invoice-totals", folder=str(invoices), target=str(target), **columns)

    assert table(target) == [["customer", "invoices", "total"], ["Ada", 3, 10.3], ["Grace", 1, 5]]


def test_api_to_spreadsheet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes what an API answers as a workbook, a field a column."""
    without_proxies(monkeypatch)
    thing = {"name": "thing", "language": None, "stargazers_count": 7, "pushed_at": "2026-01-02T03:04:05Z"}
    answered = [{**thing, "license": {"spdx_id": "MIT"}}, {**thing, "name": "=other", "license": None}]
    with serve_pages({"/repos": answered}) as server:
        outputs(folder, "api-to-spreadsheet", url=f"{server.url}/repos")

    assert table(folder / "out/api.xlsx") == [
        ["name", "language", "stars", "licence", "last_push"],
        ["thing", "", 7, "MIT", "2026-01-02"],
        ["=other", "", 7, "", "2026-01-02"],
    ]


def test_csv_clean(folder: Path) -> None:
    """Tidies up texts, keeps the first row of an address, and puts aside what has none."""
    outputs(folder, "csv-clean")

    assert (folder / "out/addresses.csv").read_text().splitlines() == [
        "Name,E-mail,City",
        "Ada Lovelace,ada@example.org,London",
        "Grace Hopper,grace@example.org,New York",
    ]
    assert (folder / "out/addresses-rejected.csv").read_text().splitlines() == [
        "Name,E-mail,City",
        "Linus,not given,Helsinki",
    ]
