"""Writes the flows that the benchmarks execute: no-op nodes in a line, or one node with many after it."""

from pathlib import Path


def linear(folder: Path, nodes: int) -> str:
    """Write a flow whose nodes follow each other; return its id."""
    lines = ["[settings]", "on_save = 'off'"]
    for index in range(nodes):
        lines += [f"[nodes.n{index}]", 'type = "edit-fields"', "values = {}"]
        if index:
            lines.append(f'input = "n{index - 1}"')
    return _write(folder, f"linear{nodes}", lines)


def fan_out(folder: Path, nodes: int) -> str:
    """Write a flow with one node and `nodes` that take its output; return its id."""
    lines = ["[settings]", "on_save = 'off'", "[nodes.first]", 'type = "edit-fields"', "values = {}"]
    for index in range(nodes):
        lines += [f"[nodes.n{index}]", 'type = "edit-fields"', "values = {}", 'input = "first"']
    return _write(folder, f"fan{nodes}", lines)


def python_line(folder: Path, nodes: int) -> str:
    """Write a flow of `python` nodes that follow each other; return its id."""
    lines = ["[settings]", "on_save = 'off'"]
    for index in range(nodes):
        lines += [f"[nodes.n{index}]", 'type = "python"', "code = 'def run(input): return input'"]
        if index:
            lines.append(f'input = "n{index - 1}"')
    return _write(folder, f"python{nodes}", lines)


def loop(folder: Path, iterations: int, concurrency: int = 1) -> str:
    """Write a flow with a loop over a body of two nodes; return its id."""
    lines = ["[settings]", "on_save = 'off'", "[nodes.each]", 'type = "loop"', 'mode = "times"']
    lines += [f"count = {iterations}", f"concurrency = {concurrency}"]
    for name, key in (("a", ""), ("b", 'input = "a"')):
        lines += [f"[nodes.each.nodes.{name}]", 'type = "edit-fields"', "keep_only_set = true"]
        lines += ['values = { n = "{{ index }}" }', key]
    return _write(folder, f"loop{iterations}x{concurrency}", lines)


def templated(nodes: int) -> bytes:
    """Return a flow file whose nodes take each other's output, with a template each; every tenth one is new."""
    lines = ["[variables]", "x = 1"]
    for index in range(nodes):
        text = f"{{{{ input.b{index} }}}}" if index % 10 == 0 else "{{ vars.x }}"
        lines += [f"[nodes.n{index}]", 'type = "edit-fields"', f'values = {{ a = {index}, b = "{text}" }}']
        if index:
            lines.append(f'input = "n{index - 1}"')
    return "\n".join(lines).encode()


def parametrised(nodes: int) -> str:
    """Return a flow file of lines of ten nodes, each with parameters of its own and a variable; it can be executed."""
    lines = ["[settings]", "max_runs_per_minute = 1000", "[variables]", "x = 1"]
    for index in range(nodes):
        lines += [f"[nodes.n{index}]", 'type = "edit-fields"']
        lines.append(f'values = {{ a{index} = {index}, b = "{{{{ vars.x }}}}" }}')
        if index % 10:
            lines.append(f'input = "n{index - 1}"')
    return "\n".join(lines) + "\n"


def mixed(nodes: int) -> bytes:
    """Return a flow file of so many nodes of many types, as people write them: with expressions, code and a body."""
    kinds = (
        'type = "file-system"\noperation = "read"\npath = "data/{{ vars.source }}"',
        'type = "transform"\noperation = "map"\nexpression = "{\'name\': item[0], \'total\': item[1] | float}"',
        'type = "transform"\noperation = "filter"\nexpression = "item.total >= vars.minimum"',
        'type = "transform"\noperation = "sort"\nkey = "total"\ndirection = "desc"  # largest first',
        'type = "http-request"\nurl = "https://example.org/{{ vars.source }}"\nretry = 3\ntimeout = "30s"',
        'type = "shell-command"\nprogram = "git"\nargs = ["log", "--oneline", "-n", "5"]\nreuse = "never"',
        "type = \"python\"\ncode = '''\ndef run(input):\n    return input\n'''",
        'type = "edit-fields"\nwhen = "vars.minimum > 10"\nvalues = { source = "{{ vars.source }}", deep = [1, 2.5] }',
        'type = "loop"\nitems = "{{ input }}"\n[nodes.n%d.nodes.one]\ntype = "edit-fields"\nvalues = {}',
    )
    lines = ["[variables]", 'source = "a"', "minimum = 50"]
    for index in range(nodes):
        kind = kinds[index % len(kinds)]
        lines += [f"[nodes.n{index}]"] + ([f'input = "n{index - 1}"'] if index else [])
        lines += [kind % index if "%" in kind else kind]
    return "\n".join(lines).encode()


def _write(folder: Path, name: str, lines: list[str]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name
