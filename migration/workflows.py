"""Workflows: files of `workflows/`, their nodes naming the files of events."""

from typing import Any

from contracts import limits
from migration.context import Context, Document, tags_of
from migration.identifiers import Identifiers
from migration.notes import Subject
from migration.rows import Row
from migration.schedules import convert_schedule
from migration.words import Connection, State, Trigger

MAX_DESCRIPTION = 1000


class WorkflowConverter:
    """Makes all workflows of an export, and their schedules."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes = context.export.by("nodes", "workflowId")
        self._edges = context.export.by("edges", "workflowId")
        self._names = Identifiers(limits.MAX_NAME_LENGTH // 2)

    def convert(self) -> None:
        """Add the files."""
        for row in self._context.export.of("workflows"):
            self._workflow(row, self._context.subject("workflow", row))

    def _workflow(self, row: Row, subject: Subject) -> None:
        name = self._names.new(self._context.name(row), f"workflow-{row.identity()}")
        nodes = row.rows("nodes") + self._nodes.get(row.identity(), [])
        ids = self._node_ids(nodes, subject)
        if not ids:
            subject.left_out("it has no node that could run")
            return
        if len(ids) < len(nodes):
            subject.left_out(
                "a node's event has no file: without it, it is another one"
            )
            return
        document: Document = {
            "id": name,
            "name": (self._context.name(row) or name)[: limits.MAX_NAME_LENGTH],
        }
        if row.text("description").strip():
            document["description"] = row.text("description")[:MAX_DESCRIPTION]
        if tags := tags_of(row):
            document["tags"] = tags
        document["nodes"] = [
            {"id": ids[node.identity()], **self._event(row, node, subject)}
            for node in nodes
        ]
        if edges := self._edges_of(row, ids, subject):
            document["edges"] = edges
        self._context.files[f"workflows/{name}.yaml"] = document
        self._trigger(row, name, subject)

    def _node_ids(self, nodes: list[Row], subject: Subject) -> dict[str, str]:
        names = Identifiers(limits.MAX_NODE_ID_LENGTH)
        known = {row.identity() for row in self._context.export.of("events")}
        found = {}
        for node in nodes:
            event = node.identity("eventId")
            if event not in known:
                node.wrong("eventId", "no event of the export has this id")
            elif event in self._context.event_files:
                file = self._context.event_files[event]
                found[node.identity()] = names.new(file, "node")
        return found

    def _event(self, row: Row, node: Row, subject: Subject) -> dict[str, Any]:
        file = self._context.event_files[node.identity("eventId")]
        event = self._context.files[f"events/{file}.yaml"]
        if event.get("actions"):
            subject.changed(
                f"the actions of {file} do not fire in a workflow: edges do that"
            )
        if not row.flag("overrideEventServers") or "http" in event:
            return {"eventFile": f"../events/{file}.yaml"}
        names = self._context.server_names
        wanted = [str(one) for one in row.items("overrideServerIds")]
        targets = [names[one] for one in wanted if one in names]
        if len(targets) < len(wanted) or not targets:
            row.wrong("overrideServerIds", "expected ids of servers of the export")
        subject.changed("its own servers are used, which the app stored and ignored")
        inner = {key: value for key, value in event.items() if key != "actions"}
        return {"event": {**inner, "targets": targets}}

    def _edges_of(
        self, row: Row, ids: dict[str, str], subject: Subject
    ) -> list[dict[str, str]]:
        rows = row.rows("edges") + row.rows("connections")
        rows += self._edges.get(row.identity(), [])
        edges = []
        for edge in rows:
            ends = []
            for field in ("sourceNodeId", "targetNodeId"):
                node = edge.identity(field)
                if node and node not in ids:
                    edge.wrong(field, "no node of this workflow has this id")
                ends.append(ids.get(node, node))
            when = edge.choice("connectionType", Connection, Connection.ALWAYS)
            edges.append({"from": ends[0], "to": ends[1], "when": when.value.lower()})
        targets = [edge["to"] for edge in edges]
        if any(targets.count(target) > 1 for target in targets):
            subject.changed(
                "a join runs once, when all edges to it have fired; where one never "
                "will, it is SKIPPED at once (`join: any`: one edge is enough)"
            )
        return edges

    def _trigger(self, row: Row, name: str, subject: Subject) -> None:
        trigger = row.choice("triggerType", Trigger, Trigger.MANUAL)
        if trigger is Trigger.WEBHOOK:
            subject.do(
                "its webhook's key is not taken over: make a hook (`cronium hook add`) "
                "and give address and secret to whoever calls it, who must sign"
            )
        if row.choice("status", State, State.DRAFT) is State.ARCHIVED:
            subject.changed("it is archived in the app; here it can be run by hand")
        convert_schedule(self._context, row, "workflow", name, subject, False)
