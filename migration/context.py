"""What all parts of one migration share."""

from dataclasses import dataclass, field
from typing import Any

from contracts import limits
from migration.credentials import Vault
from migration.export import Export
from migration.identifiers import Identifiers
from migration.notes import Notes, Subject
from migration.rows import Row

Document = dict[str, Any]
MOST_IN_PLACE = 60
"""Characters of a name in a note."""


@dataclass(frozen=True)
class Options:
    """What the user has decided."""

    timezone: str = "UTC"
    """Zone of schedules whose rows name none: that of the app's server."""
    paused: bool = False
    """Whether all schedules are written paused, for a cut-over by hand."""
    user: str = "local"
    """Whose executions they are, when the export is of one user alone."""


@dataclass
class Context:
    """The export, and what has been made of it."""

    export: Export
    options: Options
    known: list[str] = field(default_factory=list, repr=False)
    """Credentials that the export holds, the longest first: ids, and names of files and
    secrets, are made of names without them."""
    notes: Notes = field(default_factory=Notes)
    vault: Vault = field(default_factory=Vault)
    files: dict[str, Document] = field(default_factory=dict)
    """Path → data of the YAML file."""
    heads: dict[str, str] = field(default_factory=dict)
    """Path → a comment for the file's first lines."""
    server_names: dict[str, str] = field(default_factory=dict)
    """Id of a server in the app → its name in the inventory."""
    event_files: dict[str, str] = field(default_factory=dict)
    """Id of an event in the app → its id here, which its file is called after."""
    event_names: Identifiers = field(
        default_factory=lambda: Identifiers(limits.MAX_NAME_LENGTH // 2)
    )
    schedule_names: Identifiers = field(
        default_factory=lambda: Identifiers(limits.MAX_SCHEDULE_ID_LENGTH)
    )

    def subject(self, kind: str, row: Row) -> Subject:
        """Return what notes about a row are filed under."""
        name = self.name(row) or row.text("key")
        place = f"{kind} {row.identity()} ({name[:MOST_IN_PLACE]})"
        return Subject(place, self.notes)

    def name(self, row: Row) -> str:
        """Return the name of a row, without any credential."""
        name = row.text("name").strip()
        for value in self.known:
            name = name.replace(value, "removed")
        return name

    def user_of(self, row: Row) -> str:
        """Return whose executions those of a row are."""
        return row.text("userId") if len(self.users) > 1 else self.options.user

    @property
    def users(self) -> set[str]:
        """The users that own anything."""
        owned = ("events", "workflows", "variables")
        rows = [row for table in owned for row in self.export.of(table)]
        return {row.text("userId") for row in rows} - {""}


def tags_of(row: Row) -> list[str]:
    """Return the tags of a row, as many and as long as they may be here."""
    tags = [tag for tag in row.items("tags") if isinstance(tag, str) and tag.strip()]
    cut = [tag[: limits.MAX_TAG_LENGTH] for tag in tags]
    return list(dict.fromkeys(cut))[: limits.MAX_TAGS]
