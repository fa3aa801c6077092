"""Starts the `atomiton` command: `atomiton ...` and `python -m atomiton_runtime ...` are the same."""

import sys


def main() -> None:
    """Execute the command of this process's arguments and end the process with its exit code."""
    from atomiton_runtime.cli.app import run_command

    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
