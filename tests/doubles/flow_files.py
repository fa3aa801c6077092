"""Flow files for tests of the clients, and a folder to put them in."""

from pathlib import Path

HELLO = """\
name = "Hello"
description = "Greets somebody."

[variables]
who = "World"
times = { type = "integer", default = 1, description = "how often", min = 1, max = 5 }
loud = { type = "boolean", default = false, description = "in capital letters" }
json = "a name that the command has taken"

[nodes.greeting]
type = "edit-fields"
values = { text = "Hello {{ vars.who }}!", times = "{{ vars.times }}", loud = "{{ vars.loud }}" }
"""

TEXT = """\
[nodes.say]
type = "shell-command"
program = "printf"
args = ["one line\\ntwo\\u001b[31m lines\\n"]
"""

TWO_SINKS = """\
[nodes.a]
type = "edit-fields"
values = { n = 1 }

[nodes.b]
type = "edit-fields"
values = { n = 2 }
"""

REQUIRED = """\
[variables]
source = { type = "string", required = true }

[nodes.a]
type = "edit-fields"
values = { source = "{{ vars.source }}" }
"""

FAILING = """\
[nodes.look]
type = "shell-command"
program = "sh"
args = ["-c", "echo found; echo wrong >&2; exit 3"]
"""

SLOW = """\
[settings]
timeout = "1h"

[nodes.wait]
type = "shell-command"
program = "sh"
args = ["-c", "echo $$ > started; exec sleep 60"]

[nodes.tidy]
type = "shell-command"
after = "wait"
always = true
program = "sh"
args = ["-c", "echo tidy > tidied"]
"""

LATE = """\
[settings]
timeout = "0.3s"

[nodes.wait]
type = "shell-command"
program = "sleep"
args = ["60"]
"""

BROKEN = """\
[nodes.read]
type = "spreadshet"
path = "x.csv"

[nodes.active]
type = "transform"
input = "reed"
operation = "filter"
expression = "item.active and"
"""

ALL = {
    "hello": HELLO,
    "text": TEXT,
    "two": TWO_SINKS,
    "required": REQUIRED,
    "failing": FAILING,
    "slow": SLOW,
    "late": LATE,
}


def write_flows(folder: Path, **more: str) -> Path:
    """Write all valid flows, and `more`, into the folder `flows` of `folder`; return that."""
    flows = folder / "flows"
    flows.mkdir(exist_ok=True)
    for name, content in (ALL | more).items():
        (flows / f"{name}.toml").write_text(content, encoding="utf-8")
    return flows
