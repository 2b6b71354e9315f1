"""What this host knows of the runs it has taken, on disk and so across restarts.

An entry is written before a script is started and tells the next worker process which
activity waits for it; when the script has ended, its outcome is added before anything
of the sandbox is removed. So an outcome is never lost between the end of a script and
the moment Temporal has it.
"""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from activities.clocks import Moment
from contracts.base import TolerantModel
from contracts.runs import RunOutcome

logger = logging.getLogger(__name__)

SUFFIX, DRAFT_SUFFIX = ".json", ".new"


class Entry(TolerantModel):
    """One run that this host has claimed."""

    run_key: str
    workflow_id: str
    workflow_run: str
    activity_id: str
    """The activity that waits for it, as far as this host knows."""
    start_id: str
    """What the ids of all its activities begin with."""
    started: Moment | None = None
    """When the script was started, once it was."""
    outcome: RunOutcome | None = None


class Ledger:
    """A directory with one small file per run.

    Args:
        path: Directory; made with mode 0700, since outcomes hold last lines. One
            process at a time writes into it.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        # A process that died while it wrote left what nobody asks for by its name.
        for draft in path.glob("*" + DRAFT_SUFFIX):
            draft.unlink(missing_ok=True)

    def write(self, entry: Entry) -> None:
        """Write an entry, replacing what was known of the run.

        Raises:
            OSError: The disk did not take it.
        """
        file = self._file(entry.run_key)
        new = file.with_suffix(DRAFT_SUFFIX)
        new.write_bytes(entry.model_dump_json(by_alias=True).encode())
        new.replace(file)

    def update(self, run_key: str, **changes: object) -> None:
        """Change an entry; a disk that refuses is logged and not fatal."""
        entry = self.find(run_key)
        if entry is not None:
            self.keep(entry.model_copy(update=changes))

    def keep(self, entry: Entry) -> None:
        """Write an entry; a disk that refuses is logged and not fatal."""
        try:
            self.write(entry)
        except OSError as error:
            logger.error("cannot note the state of a run: %s", error.strerror)

    def find(self, run_key: str) -> Entry | None:
        """Return what is known of a run."""
        file = self._file(run_key)
        try:
            return Entry.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            logger.warning("cannot read %s: %s", file.name, type(error).__name__)
            return None

    def entries(self) -> Iterator[Entry]:
        """Yield every entry that can be read."""
        for file in sorted(self._path.glob("*" + SUFFIX)):
            entry = self.find(file.name.removesuffix(SUFFIX))
            if entry is not None:
                yield entry

    def age(self, run_key: str) -> float:
        """Return how many seconds ago an entry was written; 0 when there is none."""
        try:
            return time.time() - self._file(run_key).stat().st_mtime
        except OSError:
            return 0.0

    def forget(self, run_key: str) -> None:
        """Remove an entry that nobody will ask for."""
        self._file(run_key).unlink(missing_ok=True)

    def _file(self, run_key: str) -> Path:
        return self._path / (run_key + SUFFIX)
