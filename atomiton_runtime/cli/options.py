"""Holds the options that several commands share, so that they look the same everywhere."""

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=20,
    show_default="20",
    help="The most runs to list.",
)
