"""A process that appends without end and says what the store has acknowledged; killed by its test.

Usage: python appending_process.py URL RUN_PREFIX. Writes a line `RUN SEQ` for the last event of each run of each
group, after `append` returned.
"""

import sys

from atomiton_runtime.storage.create import create_storage
from tests.doubles.journals import journal


def main(url: str, prefix: str) -> None:
    """Append runs in pairs, in groups of changing size, for ever."""
    engine = create_storage(url)
    engine.open()
    for number in range(1_000_000):
        one, two = (journal(f"{prefix}{number:06d}{letter}", middle=3) for letter in "AB")
        size = 1 + number % 4
        for start in range(0, len(one), size):
            group = [*one[start : start + size], *two[start : start + size]]
            if number % 3 == 0:
                group = one[start : start + size]
            engine.append(group)
            last = {event.run_id: event.seq for event in group}
            sys.stdout.write("".join(f"{run_id} {seq}\n" for run_id, seq in last.items()))
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
