"""Reading a store while another process writes to it."""

from pathlib import Path

from atomiton_runtime.ids import RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.storage.sqlite import SqliteEngine
from tests.doubles.journals import journal

RUN = RunId("01M00000000000000000000000")


class OvertakenEngine(SqliteEngine):
    """Another process keeps the end of the run between this one's reads."""

    other: SqliteEngine | None = None

    def summary(self, run_id: RunId) -> RunSummary | None:
        """Let the other one write first."""
        other, self.other = self.other, None
        if other is not None:
            other.append(journal(RUN)[-1:])
        return super().summary(run_id)


def test_a_run_that_ends_while_it_is_read_is_no_damage(tmp_path: Path) -> None:
    """What is read of a run is all of one moment, and the store is not suspected; the next look sees the end."""
    reader, writer = OvertakenEngine(tmp_path / "runs.sqlite3"), SqliteEngine(tmp_path / "runs.sqlite3")
    reader.open()
    writer.open()
    writer.append(journal(RUN)[:-1])
    reader.other = writer

    assert list(reader.journal(RUN)) == journal(RUN)[:-1]
    assert list(reader.journal(RUN)) == journal(RUN)
    assert list(tmp_path.glob("*.suspect")) == []
    reader.close()
    writer.close()
