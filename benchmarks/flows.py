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


def _write(folder: Path, name: str, lines: list[str]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name
