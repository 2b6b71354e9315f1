"""Events: files of `events/`, ready for `cronium run`."""

from typing import Any

from contracts import limits
from contracts.wire_text import utf8_size
from migration.actions import Follower, actions_of, drop_circles, followers_of
from migration.context import Context, Document, tags_of
from migration.environment import environment_of
from migration.notes import Subject
from migration.requests import RequestConverter
from migration.rows import Row
from migration.schedules import convert_schedule
from migration.scripts import Removed, clean
from migration.tools import script_of_tool
from migration.words import Kind, Place, State, Unit

TYPES = {Kind.NODEJS: "nodejs", Kind.PYTHON: "python", Kind.BASH: "bash"}


class EventConverter:
    """Makes all events of an export, and their schedules."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._env = context.export.by("envVars", "eventId")
        self._joins = context.export.by("eventServers", "eventId")
        self._subjects: dict[str, Subject] = {}
        self._documents: dict[str, Document] = {}

    def convert(self) -> None:
        """Add the files."""
        context = self._context
        rows = {row.identity(): row for row in context.export.of("events")}
        # Credentials of all events are known before the first script is looked at.
        for identity, row in rows.items():
            self._subjects[identity] = context.subject("event", row)
            name = context.event_names.new(context.name(row), f"event-{identity}")
            document = self._frame(row, name, self._subjects[identity])
            if document is not None:
                self._documents[identity] = document
                context.event_files[identity] = name
        followers = followers_of(context)
        drop_circles(followers, self._subjects)
        for identity in self._documents:
            self._finish(identity, rows[identity], followers.get(identity, []))

    def _frame(self, row: Row, name: str, subject: Subject) -> Document | None:
        """Return all of an event but its script and its actions."""
        title = self._context.name(row) or name
        kind = row.choice("type", Kind, Kind.BASH)
        if row.data.get("type") is None:
            row.wrong("type", f"required; one of {', '.join(Kind)}")
        event: Document = {
            "id": name,
            "name": title[: limits.MAX_NAME_LENGTH],
            "type": TYPES.get(kind, "http_request"),
            **self._limits(row, subject),
        }
        if tags := tags_of(row):
            event["tags"] = tags
        if kind is Kind.HTTP_REQUEST:
            converter = RequestConverter(self._context, row, name, subject)
            return {**event, "http": converter.request()}
        if kind is Kind.TOOL_ACTION:
            script = script_of_tool(row, subject)
            if script is None:
                return None
            return {**event, "type": "python", "script": script}
        env_rows = row.rows("envVars") + self._env.get(row.identity(), [])
        if env := environment_of(self._context, env_rows, name, subject):
            event["env"] = env
        event["script"] = self._script(row)
        return self._on_servers(row, event, subject)

    def _script(self, row: Row) -> str:
        script = row.text("content").replace("\r\n", "\n")
        if not script.strip():
            row.wrong("content", "required: the script")
        elif utf8_size(script) > limits.MAX_SCRIPT_BYTES or "\0" in script:
            row.wrong(
                "content", f"at most {limits.MAX_SCRIPT_BYTES} bytes, without NUL"
            )
        return script

    def _limits(self, row: Row, subject: Subject) -> dict[str, Any]:
        unit = row.choice("timeoutUnit", Unit, Unit.SECONDS)
        seconds: float = row.number("timeoutValue", 30) * unit.seconds
        if not seconds or seconds > limits.MAX_TIMEOUT_SECONDS:
            seconds = min(seconds or 30, limits.MAX_TIMEOUT_SECONDS)
            subject.changed(f"the timeout is {seconds:.0f} s")
        found: dict[str, Any] = {"timeoutSeconds": seconds}
        retries = row.number("retries", 0)
        if retries:
            found["retries"] = min(retries, limits.MAX_RETRIES)
        return found

    def _on_servers(
        self, row: Row, event: Document, subject: Subject
    ) -> Document | None:
        place = row.choice("runLocation", Place, Place.LOCAL)
        if place is Place.LOCAL:
            return event
        targets = self._targets(row, subject)
        if not targets:
            subject.left_out(
                "it ran on servers, and none of them is here: without one it would run "
                "in a container"
            )
            return None
        if place is Place.LOCAL_AND_REMOTE:
            subject.do(
                "it ran on the app's host as well: for that, make a second event "
                "without `targets`"
            )
        return {**event, "targets": targets}

    def _targets(self, row: Row, subject: Subject) -> list[str]:
        wanted = [str(one) for one in row.items("selectedServerIds")]
        wanted += [
            one.identity("serverId") for one in self._joins.get(row.identity(), [])
        ]
        if row.data.get("serverId") is not None:
            wanted.append(row.identity("serverId"))
        names = self._context.server_names
        known = {server.identity() for server in self._context.export.of("servers")}
        for one in dict.fromkeys(wanted):
            if one not in known:
                row.wrong("serverId", "no server of the export has this id")
            elif one not in names:
                subject.changed("a server that has no entry in servers.yaml is missing")
        return [names[one] for one in dict.fromkeys(wanted) if one in names]

    def _finish(self, identity: str, row: Row, followers: list[Follower]) -> None:
        context, subject = self._context, self._subjects[identity]
        event, name = self._documents[identity], context.event_files[identity]
        removed: list[Removed] = []
        if "script" in event:
            event["script"], removed = clean(
                event["script"], name, subject.where, context.vault
            )
        for one in removed:
            event.setdefault("env", {})[one.name] = {"secret": one.name}
            subject.do(
                f"line {one.line} of the script held a credential: it says "
                f"REMOVED_SECRET_{one.name} now; let it read the environment variable "
                f"{one.name} instead"
            )
        if actions := list(actions_of(context, followers, name, subject)):
            event["actions"] = actions
        path = f"events/{name}.yaml"
        context.files[path] = event
        context.heads[path] = row.text("description")
        state = row.choice("status", State, State.DRAFT)
        if state is State.ARCHIVED:
            subject.changed("it is archived in the app; here it can be run by hand")
        convert_schedule(context, row, "event", name, subject, bool(removed))
