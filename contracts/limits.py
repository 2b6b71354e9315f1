"""Every number a request is checked against, in one place.

Operators may lower the ceilings (see `worker.settings`); they cannot raise them above
what is written here, because these follow from limits of Temporal, Linux or the log
way. Sizes are bytes unless the name says otherwise, times are seconds.
"""

KIB = 1024
MIB = 1024 * KIB

# Temporal refuses a payload above 2 MiB; the rest is left for its own envelope.
MAX_REQUEST_BYTES = 1920 * KIB
MAX_SCRIPT_BYTES = 1 * MIB
MAX_INPUT_BYTES = 512 * KIB
# The parser of JSON stops at 200 levels and the writer at 255; some of them are taken
# by what a value is wrapped in on its way.
MAX_JSON_DEPTH = 100
# The UTF-8 bytes of an output's JSON: it travels inside the result, and a workflow
# hands it on as the next event's input.
MAX_OUTPUT_BYTES = 256 * KIB

MAX_ENV_ENTRIES = 10_000
# Linux refuses one argument or environment string above 128 KiB (MAX_ARG_STRLEN) and
# all of them together above a quarter of the 8 MiB stack; half of that is ours.
MAX_ENV_VALUE_BYTES = 127 * KIB
MAX_ENV_TOTAL_BYTES = 1 * MIB

MAX_ID_LENGTH = 100
MAX_NAME_LENGTH = 100
MAX_TAGS = 20
MAX_TAG_LENGTH = 50
MAX_IMAGE_LENGTH = 255

MAX_VARIABLE_KEY_LENGTH = 100
# Characters of the value's JSON, as existing Cronium counts them.
MAX_VARIABLE_CHARS = 10_000
MAX_VARIABLE_DESCRIPTION_CHARS = 1_000
MAX_VARIABLES_PER_USER = 10_000

DEFAULT_TIMEOUT_SECONDS = 300.0
MAX_TIMEOUT_SECONDS = 86_400.0
DEFAULT_GRACE_SECONDS = 5.0
MAX_GRACE_SECONDS = 60.0
MAX_RETRIES = 10

DEFAULT_MEMORY_MB = 512
MIN_MEMORY_MB = 16
MAX_MEMORY_MB = 65_536
DEFAULT_CPUS = 0.5
MIN_CPUS = 0.05
MAX_CPUS = 64.0
DEFAULT_PIDS = 100
MIN_PIDS = 8
MAX_PIDS = 4_096
DEFAULT_TMP_MB = 64
MIN_TMP_MB = 1
MAX_TMP_MB = 16_384

# One log line, before it is cut in pieces (design: at most 64 KiB).
MAX_LINE_BYTES = 64 * KIB
DEFAULT_LOG_CAP_BYTES = 16 * MIB

# What a result and a heartbeat may carry of the log: Temporal keeps both in memory.
MAX_TAIL_LINES = 20
MAX_TAIL_BYTES = 2 * KIB
MAX_LAST_LINES_BYTES = 4 * KIB

MAX_ERROR_MESSAGE_CHARS = 1_000

# How long a script's call is made again while nobody answers, and how long the gateway
# knows it again: longer, so that what was done before the answer was lost is done once.
MAX_CALL_OUTAGE_SECONDS = 1_800.0
CALL_MEMORY_SECONDS = 3_600.0

MAX_URL_CHARS = 8 * KIB
MAX_HTTP_PAIRS = 200
MAX_HTTP_NAME_CHARS = 256
MAX_HTTP_VALUE_CHARS = 16 * KIB
MAX_HTTP_PAIRS_BYTES = 64 * KIB
# As it stands in the event; more can only come in with the input.
MAX_HTTP_BODY_SPEC_BYTES = 1 * MIB
# Of one request as it is sent; the spec itself lies in a Temporal payload.
MAX_HTTP_REQUEST_BODY_BYTES = 2 * MIB
DEFAULT_HTTP_BODY_BYTES = 256 * KIB
MAX_HTTP_BODY_BYTES = 512 * KIB
# A result holds the output twice (execution and target), and must fit a payload.
MAX_HTTP_OUTPUT_BYTES = 896 * KIB
DEFAULT_REDIRECTS = 5
MAX_REDIRECTS = 20
DEFAULT_HTTP_RESENDS = 2
MAX_HTTP_RESENDS = 10
DEFAULT_RETRY_AFTER_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 600.0
DEFAULT_CONNECT_SECONDS = 10.0
DEFAULT_READ_SECONDS = 30.0
DEFAULT_WRITE_SECONDS = 30.0

MAX_ACTIONS = 20
# Of all events inside each other: a request must not start a forest.
MAX_NESTED_ACTIONS = 100
MAX_ACTION_NESTING = 5
# How many events may have started each other, one after the other.
MAX_CHAIN_DEPTH = 10
MAX_MESSAGE_TARGETS = 20
MAX_TARGET_URL_CHARS = 2 * KIB
MAX_SUBJECT_TEMPLATE_CHARS = 1 * KIB
MAX_BODY_TEMPLATE_CHARS = 32 * KIB
MAX_SUBJECT_CHARS = 500
MAX_MESSAGE_CHARS = 64 * KIB
DEFAULT_ACTION_RETRIES = 4
MAX_ACTION_RETRIES = 10
DEFAULT_CALLBACK_SECONDS = 10.0
MAX_CALLBACK_SECONDS = 60.0
MAX_CALLBACK_BODY_BYTES = 1 * MIB

# So many rows, each with an error, fit a result together with names and outputs.
MAX_TARGETS = 2_500
MAX_TARGET_NAME_BYTES = 100
DEFAULT_FORKS = 50
# A workflow may have 2,000 activities pending; each keeps up to 4 KiB of heartbeat in
# its workflow's mutable state, which may have 8 MiB.
MAX_FORKS = 500
MAX_BATCHES = 100
MAX_STAGGER_SECONDS = 3600.0
# More servers than this are spread over child workflows with histories of their own.
MAX_SHARD_TARGETS = 100
# Temporal ends a workflow at 50 MiB of history. What is planned stays below the first
# number; what retries add to it ends at the second.
MAX_PLANNED_HISTORY_BYTES = 32 * MIB
MAX_HISTORY_BYTES = 40 * MIB
# All commands of one workflow task share one gRPC message of at most 4 MiB.
MAX_COMMAND_BYTES = 2 * MIB
# Of all targets together, in an execution's result: its payload may have 2 MiB, of
# which names of servers may take a quarter.
MAX_ROWS_BYTES = 1216 * KIB
# Fits the input of the next event, with room for the names of servers.
MAX_FANOUT_OUTPUT_BYTES = 384 * KIB

EGRESS_POOL = ("10.213.0.0/16", "172.29.192.0/18", "192.168.192.0/20")
"""Where the networks of scripts come from, unless the operator says otherwise.

Three ranges that few networks use, one in each of the private ones: a host may have a
route to all of another.
"""

# Of one graph. A node takes three events of history at the least, and Temporal ends a
# workflow at 51,200; a thousand nodes with retries stay far below.
MAX_NODES = 1_000
MAX_EDGES = 5_000
MAX_NODE_ID_LENGTH = 60
MAX_CASES = 50
# Graphs inside graphs; the outermost is level 1.
MAX_GRAPH_DEPTH = 4
# Of all of them together, the events of maps included.
MAX_NODES_IN_ALL = 2_000
MAX_EXPRESSION_CHARS = 2_000
MAX_MAP_ITEMS = 10_000
# More items than this are spread over child workflows with histories of their own.
MAX_PART_ITEMS = 500
DEFAULT_PARALLEL = 50
MAX_PARALLEL = 500
MAX_WAIT_SECONDS = 366 * 86_400.0
MAX_APPROVERS = 50
MAX_WHY_CHARS = 2_000
MAX_CONCURRENT_RUNS = 1_000
# The ordered outputs of a map, and what an execution's result keeps of all nodes.
MAX_MAP_OUTPUT_BYTES = 256 * KIB
MAX_GRAPH_OUTPUTS_BYTES = 768 * KIB
MAX_GRAPH_ROWS_BYTES = 768 * KIB

# Temporal adds the time to a schedule's id, and the execution's id must hold both.
MAX_SCHEDULE_ID_LENGTH = 64
MAX_CRONS = 10
MIN_EVERY_SECONDS = 1
MAX_EVERY_SECONDS = 366 * 86_400
MAX_JITTER_SECONDS = 86_400
# Temporal takes no shorter one.
MIN_CATCH_UP_SECONDS = 10
DEFAULT_CATCH_UP_SECONDS = 300
MAX_CATCH_UP_SECONDS = 366 * 86_400
MAX_RUNS = 1_000_000
MAX_DESCRIPTION_CHARS = 1_000
# Temporal buffers so many starts of one schedule.
MAX_BACKFILL_RUNS = 1_000
