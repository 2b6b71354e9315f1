"""Names that more than one process must agree on: queues, ids, labels, attributes."""

import hashlib
import re

from contracts.limits import MAX_ID_LENGTH

TASK_QUEUE = "cronium"
EVENT_WORKFLOW = "EventWorkflow"
SHARD_WORKFLOW = "FanOutShard"
GRAPH_WORKFLOW = "GraphWorkflow"
GRAPH_PART_WORKFLOW = "GraphPart"
"""A graph inside a node, or some of the items of a map."""
GATE_WORKFLOW = "Gate"
"""Counts the runs of one concurrency key."""
SHARD_REPORT = "shard_report"
"""Signal from a shard to its parent."""
SHARD_STEERING = "steer"
"""Signal from a parent to its shard."""

PAYLOAD_ERROR_TYPE = "PayloadValidationError"
"""Failure type of a request that does not fit the contract (given by the SDK)."""

MAX_TARGET_LENGTH = 150
"""Characters of a target's name; the gateway stores 200."""

LOCAL_TARGET = "local"
"""Name of the one target of an event that runs in a container."""

RUN_DIRECTORY = "/run/cronium"
"""Where a sandbox sees its script, input and event. Read-only."""

RUNNER_IMAGE = "cronium/runner:latest"
SANDBOX_UID = 1000

# Search attributes: on SQL visibility a namespace has room for 10 keywords and 3 of
# each other type, so few are used. They are never encrypted: no secret may enter.
ATTRIBUTE_EVENT = "CroniumEventId"
ATTRIBUTE_USER = "CroniumUserId"
ATTRIBUTE_TRIGGER = "CroniumTrigger"
ATTRIBUTE_STATUS = "CroniumStatus"
ATTRIBUTE_HOST = "CroniumHost"
ATTRIBUTE_TAGS = "CroniumTags"
ATTRIBUTE_EXIT_CODE = "CroniumExitCode"

LABEL_PREFIX = "io.cronium."
LABEL_INSTANCE = LABEL_PREFIX + "instance"
LABEL_RUN_KEY = LABEL_PREFIX + "run-key"
LABEL_EXECUTION = LABEL_PREFIX + "execution"
LABEL_EVENT = LABEL_PREFIX + "event"
LABEL_WORKFLOW = LABEL_PREFIX + "workflow"
LABEL_WORKFLOW_RUN = LABEL_PREFIX + "workflow-run"
LABEL_TARGET = LABEL_PREFIX + "target"
LABEL_TRY = LABEL_PREFIX + "try"
LABEL_DISPATCH = LABEL_PREFIX + "dispatch"
LABEL_HOST = LABEL_PREFIX + "host"
LABEL_ROLE = LABEL_PREFIX + "role"
LABEL_OWNER = LABEL_PREFIX + "owner"
"""File that is locked while the owner of a network lives."""
LABEL_VIEW = LABEL_PREFIX + "view"
"""Digest of machine and namespaces in which that file's name means this file."""

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]*"
ID_PATTERN = f"^{_ID}$"
# Temporal appends the time to the ids of workflows that a schedule starts.
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_WORKFLOW = re.compile(
    rf"(?:event|graph):(?P<first>{_ID}):(?P<last>{_ID}?)(?:-(?P<moment>{_MOMENT}))?"
)
ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
SECRET_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
RESERVED_ENV_PREFIX = "CRONIUM_"


def http_queue(task_queue: str) -> str:
    """Return the task queue of HTTP requests, which need no Docker host."""
    return f"{task_queue}-http"


def ssh_queue(task_queue: str) -> str:
    """Return the task queue of scripts on servers, which any host can reach."""
    return f"{task_queue}-ssh"


def host_queue(host_id: str) -> str:
    """Return the task queue that only the worker of one host polls."""
    return f"cronium-host-{host_id}"


def actions_queue(queue: str) -> str:
    """Return the task queue of messages and callbacks beside that of executions.

    They take no slot of a sandbox, and wait for none.
    """
    return f"{queue}-actions"


def action_id(execution: str, index: int) -> str:
    """Return the id of what an action does: an execution, or a delivery.

    The same for the same action, so that nothing is started or sent anew by accident.
    """
    suffix = f".a{index}"
    if len(execution) + len(suffix) > MAX_ID_LENGTH:
        execution = hashlib.sha256(execution.encode()).hexdigest()[:40]
    return execution + suffix


def workflow_id(event_id: str, execution_id: str) -> str:
    """Return the workflow id of one execution: the same request gives the same id."""
    return f"event:{event_id}:{execution_id}"


def graph_id(workflow_id: str, execution_id: str) -> str:
    """Return the workflow id of one execution of a graph.

    Args:
        workflow_id: Id of the graph, as its users know it.
        execution_id: Which run of it.
    """
    return f"graph:{workflow_id}:{execution_id}"


def graph_part_id(workflow: str, place: str) -> str:
    """Return the workflow id of a part of a graph: a node's own graph, or items."""
    return f"{workflow}:part-{place}"


def node_target(place: str, server: str | None = None) -> str:
    """Return the name of a graph's target, under which its lines stand in the log.

    Args:
        place: The node, after the nodes that it is inside of: `build`, `each[17]`,
            `release/check`.
        server: Of an event on several servers.
    """
    name = place if server is None else f"{place}/{server}"
    if len(name) <= MAX_TARGET_LENGTH:
        return name
    # The end says most; the digest keeps two long names apart.
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{digest}…{name[-(MAX_TARGET_LENGTH - len(digest) - 1) :]}"


def gate_id(user: str, key: str) -> str:
    """Return the workflow id of what counts the runs of a concurrency key.

    Keys are made of inputs: they are hashed, since ids are never encrypted.
    """
    return f"gate:{user}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def shard_id(workflow: str, index: int) -> str:
    """Return the workflow id of one part of a fan-out."""
    return f"{workflow}:shard-{index}"


def activity_id(target: str, attempt: int, dispatch: int, resume: int = 0) -> str:
    """Return the activity id of one start of a script, or of its n-th resumption.

    The janitor tells by it whether a workflow still waits for a sandbox.
    """
    return f"{start_id(target, attempt, dispatch)}{f'/resume-{resume}' * (resume > 0)}"


def start_id(target: str, attempt: int, dispatch: int) -> str:
    """Return what all activity ids of one start of a script begin with."""
    return f"{target}/try-{attempt}/dispatch-{dispatch}"


def is_start(activity: str, start: str) -> bool:
    """Whether an activity id belongs to a start of a script, or resumes it."""
    return activity == start or activity.startswith(start + "/")


def execution_of(workflow: str, run_id: str = "") -> str | None:
    """Return the execution id that a workflow has, or None for foreign workflows.

    Args:
        workflow: Its id.
        run_id: Its first run's id. Those that a schedule started have an id only
            together with it, since one time may be run again by hand; without it None
            is returned for them.
    """
    match = _WORKFLOW.fullmatch(workflow)
    if match is None:
        return None
    if match["moment"] is None:
        return match["last"]
    moment = re.sub("[-:]", "", match["moment"])
    return f"{match['last']}-{moment}-{run_id[-8:]}" if run_id else None


def is_execution(workflow: str) -> bool:
    """Whether a workflow id is that of an execution."""
    return _WORKFLOW.fullmatch(workflow) is not None


def subject_of(workflow: str) -> str | None:
    """Return the id of the event or graph inside a workflow id, or None."""
    match = _WORKFLOW.fullmatch(workflow)
    return match["first"] if match else None


def moment_of(workflow: str) -> str | None:
    """Return the time that a scheduled execution stands for: UTC, ISO; else None."""
    match = _WORKFLOW.fullmatch(workflow)
    return match["moment"] if match else None


def is_graph(workflow: str) -> bool:
    """Whether a workflow id is that of a graph's execution."""
    return workflow.startswith("graph:") and is_execution(workflow)


def run_key(
    workflow: str, run_id: str, target: str, attempt: int, dispatch: int
) -> str:
    """Return the name of one start of a script: 32 hex digits, stable over restarts.

    A workflow that is reset has a new run id and so gets a new sandbox; so has a try
    that is sent out again because its host was lost or its engine had trouble.
    """
    words = "\0".join((workflow, run_id, target, str(attempt), str(dispatch)))
    return hashlib.sha256(words.encode()).hexdigest()[:32]
