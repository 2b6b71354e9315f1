// Made by `npm run generate` from contracts.json: do not edit.

/**
 * What an action does.
 */
export type ActionKind = "event" | "message" | "callback";
/**
 * After which end of a node an edge fires.
 *
 * SUCCESS is success; FAILURE, TIMEOUT, LOST and PARTIAL are failure. After a node
 * that was skipped no edge fires.
 */
export type EdgeWhen =
  "always" | "on_success" | "on_failure" | "on_condition" | "on_condition_false" | "on_case";
/**
 * What kind of work an event is.
 */
export type EventType = "bash" | "python" | "nodejs" | "http_request";
/**
 * The methods an event may use.
 */
export type HttpMethod = "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE";
/**
 * How many of several edges must fire before their node runs.
 */
export type Join = "all" | "any";
/**
 * What the body of a message is written in.
 */
export type MessageFormat = "text" | "markdown" | "html";
/**
 * What a script may reach.
 */
export type Network = "none" | "egress";
/**
 * What a node does.
 */
export type NodeKind = "event" | "wait" | "approval" | "map" | "switch" | "workflow";
/**
 * What one failed server means for the others.
 */
export type OnFailure = "continue" | "fail_fast";
/**
 * What one failed item of a map means for the others.
 */
export type OnItemFailure = "continue" | "stop";
/**
 * What happens when as many runs of a key are under way as may be.
 */
export type OnLimit = "queue" | "skip" | "cancel_previous";
/**
 * In which order servers have their turn.
 */
export type Order = "listed" | "reverse" | "name" | "random";
/**
 * What becomes of a run that is due while the one before is not over.
 */
export type Overlap = "skip" | "buffer_one" | "buffer_all" | "cancel_other" | "allow_all";
/**
 * Where an execution, a target or a graph node stands.
 */
export type Status =
  | "PENDING"
  | "RUNNING"
  | "SUCCESS"
  | "FAILURE"
  | "TIMEOUT"
  | "CANCELLED"
  | "PARTIAL"
  | "LOST"
  | "SKIPPED";
/**
 * Where a line comes from.
 */
export type Stream = "stdout" | "stderr" | "system" | "log";
/**
 * Who started an execution.
 */
export type Trigger = "manual" | "api" | "schedule" | "webhook" | "workflow" | "action";
/**
 * After which ends an action fires.
 */
export type When = "always" | "on_success" | "on_failure" | "on_condition";

/**
 * What became of one action that fired. Never changes the event's own status.
 */
export interface ActionResult {
  /**
   * Its place in the event's list.
   */
  index: number;
  when: When;
  kind: ActionKind;
  /**
   * SUCCESS, FAILURE, or CANCELLED when somebody cancelled before it was done.
   */
  status: Status;
  error: ErrorInfo | null;
  /**
   * The execution that an event action started.
   */
  executionId: string | null;
  /**
   * How many targets took a message.
   */
  notified: number | null;
  /**
   * What the receiver of a callback answered in the end.
   */
  httpStatus: number | null;
  /**
   * Tries of the last worker that spoke of it; 0 when it was not begun.
   */
  attempts: number;
}
/**
 * Old algorithms that are allowed for this server besides the modern ones.
 */
export interface Algorithms {
  /**
   * @maxItems 16
   */
  kex?: string[];
  /**
   * @maxItems 16
   */
  ciphers?: string[];
  /**
   * @maxItems 16
   */
  macs?: string[];
  /**
   * @maxItems 16
   */
  hostKeys?: string[];
}
/**
 * Waits for somebody who says yes or no, and why.
 *
 * Yes is SUCCESS, no is FAILURE, and TIMEOUT when nobody said anything in time. The
 * condition is true after a yes and false after a no.
 */
export interface ApprovalNode {
  id: string;
  /**
   * What people see; None is the id.
   */
  name?: string | null;
  /**
   * The nodes before it, in order; none: it runs at the start.
   */
  after?:
    | string
    | (string | Edge)[]
    | {
        [k: string]: unknown | undefined;
      };
  join?: Join;
  /**
   * Any JSON value with expressions in its texts; None: see `default_input`.
   */
  input?: unknown;
  /**
   * Limit of the whole node: its tries, waits and queues. What runs is stopped.
   */
  timeoutSeconds?: number | null;
  /**
   * Its failure counts as borne: `on_success` edges fire as well.
   */
  continueOnFailure?: boolean;
  kind: "approval";
  /**
   * What is asked.
   */
  message?: string | null;
  /**
   * None: it waits for ever.
   */
  expiresSeconds?: number | null;
  /**
   * Who may decide; empty: everybody who reaches Temporal.
   *
   * @maxItems 50
   */
  approvers?: string[];
}
/**
 * The wait between tries: initial, then times factor, up to a maximum.
 */
export interface Backoff {
  initialSeconds?: number;
  factor?: number;
  maxSeconds?: number;
}
/**
 * User name and password, as RFC 7617 has them.
 */
export interface BasicAuth {
  kind: "basic";
  username: Credential;
  password: Credential;
}
/**
 * A token, as RFC 6750 has it.
 */
export interface BearerAuth {
  kind: "bearer";
  token: Credential;
}
/**
 * POST the result, signed, to a URL.
 */
export interface CallbackAction {
  kind: "callback";
  when?: When;
  url: string;
  /**
   * Name of the secret whose value is the HMAC key.
   */
  secret: string;
  /**
   * @maxItems 200
   */
  headers?: Header[];
  /**
   * Extra tries on network errors, 429 and 5xx; any other refusal is final.
   */
  retries?: number;
  /**
   * Limit of each try.
   */
  timeoutSeconds?: number;
}
/**
 * One way out of a switch.
 */
export interface Case {
  name: string;
  /**
   * An expression; the first case whose value is true is chosen.
   */
  if: string;
}
/**
 * At most so many runs of one key at a time, in all executions of one user.
 */
export interface Concurrency {
  key: string;
  limit?: number;
  onLimit?: OnLimit;
}
/**
 * A user name, password or token; a plain string is its value.
 */
export interface Credential {
  value?: string | null;
  /**
   * Name of a secret that the worker resolves at the last moment.
   */
  secret?: string | null;
}
/**
 * What a login may use; everything given is offered, keys before the password.
 */
export interface Credentials {
  /**
   * A private key in OpenSSH or PEM form.
   */
  key?: SecretText | null;
  /**
   * Opens the key when it is encrypted.
   */
  passphrase?: SecretText | null;
  /**
   * An OpenSSH user certificate for the key.
   */
  certificate?: SecretText | null;
  password?: SecretText | null;
  /**
   * Whether to ask the worker's SSH agent; the operator must have named one.
   */
  agent?: boolean;
}
/**
 * How long each step may take, in seconds; every one has an error of its own.
 */
export interface Deadlines {
  /**
   * Name resolution and TCP, or the channel through a jump host.
   */
  connectSeconds?: number;
  /**
   * From TCP to the end of the key exchange, in which the host key is checked.
   */
  bannerSeconds?: number;
  authSeconds?: number;
  /**
   * How long an answer on a live connection may take.
   */
  idleSeconds?: number;
  /**
   * Everything until the server can be used: waiting for a turn, tries, jumps.
   */
  totalSeconds?: number;
  /**
   * How long a server that cannot be reached is tried again before a script began.
   * None: `UNREACHABLE_SECONDS` when it is the only one, else three tries in a row.
   */
  unreachableSeconds?: number | null;
}
/**
 * A yes or no to a node that waits for one: update `decide`.
 */
export interface Decision {
  node: string;
  approved: boolean;
  by: string;
  why?: string;
}
/**
 * One node that comes before another, and when it lets that one run.
 */
export interface Edge {
  node: string;
  when?: EdgeWhen;
  /**
   * Of a switch: which case; `when` is `on_case` then.
   */
  case?: string | null;
}
/**
 * One sshd and how to log in to it.
 */
export interface Endpoint {
  /**
   * Host name or IP address.
   */
  address: string;
  port?: number;
  username: string;
  credentials: Credentials;
  /**
   * Pinned: `ssh-ed25519 AAAA…` or `SHA256:…`. Empty: known_hosts decides.
   *
   * @maxItems 16
   */
  hostKeys?: string[];
  algorithms?: Algorithms;
}
/**
 * One environment variable: a plain value, or the name of a secret.
 */
export interface EnvVar {
  name: string;
  value?: string | null;
  /**
   * Name of a secret that the worker resolves at the last moment.
   */
  secret?: string | null;
}
/**
 * The one shape of every error.
 */
export interface ErrorAnswer {
  error: ErrorBody;
}
/**
 * What went wrong.
 */
export interface ErrorBody {
  /**
   * A word to match on.
   */
  type: string;
  message: string;
  /**
   * What to do about it.
   */
  hint: string;
}
/**
 * An error as users and clients see it.
 */
export interface ErrorInfo {
  /**
   * A class name of the tree above, a `ScriptError` or an `HttpError` value.
   */
  type: string;
  /**
   * What happened, in one or two sentences without secrets.
   */
  message: string;
  /**
   * What to do about it; empty when there is nothing to do.
   */
  hint: string;
  /**
   * Whether the same request may succeed when it is tried again unchanged.
   */
  retryable: boolean;
}
/**
 * Start another event, on its own: it lives on whatever becomes of this one.
 *
 * Its input is this execution's output, its trigger is `action`.
 */
export interface EventAction {
  kind: "event";
  when?: When;
  event?: EventSpec | null;
  /**
   * Only for a clear refusal: a worker has no store to look an event up in.
   */
  eventId?: string | null;
}
/**
 * Runs an event: in a container, on servers, or as an HTTP request.
 */
export interface EventNode {
  id: string;
  /**
   * What people see; None is the id.
   */
  name?: string | null;
  /**
   * The nodes before it, in order; none: it runs at the start.
   */
  after?:
    | string
    | (string | Edge)[]
    | {
        [k: string]: unknown | undefined;
      };
  join?: Join;
  /**
   * Any JSON value with expressions in its texts; None: see `default_input`.
   */
  input?: unknown;
  /**
   * Limit of the whole node: its tries, waits and queues. What runs is stopped.
   */
  timeoutSeconds?: number | null;
  /**
   * Its failure counts as borne: `on_success` edges fire as well.
   */
  continueOnFailure?: boolean;
  kind?: "event";
  /**
   * The event itself, or its name in the graph's `events`.
   */
  event: EventSpec | string;
  /**
   * None: as the event says.
   */
  retries?: number | null;
  concurrency?: Concurrency | null;
}
/**
 * One execution of one event: the only argument of `EventWorkflow`.
 */
export interface EventRequest {
  /**
   * Set by schedules alone.
   */
  schedule?: ScheduleLink | null;
  /**
   * Left out by schedules; the workflow then makes it.
   */
  executionId?: string;
  /**
   * Of a schedule: the time that the run stands for, in UTC; set by the workflow.
   */
  scheduledFor?: string | null;
  event: EventSpec;
  /**
   * Any JSON value; the script reads it from /run/cronium/input.json.
   */
  input?: unknown;
  trigger?: Trigger;
  /**
   * Whose execution it is; decides who may read its logs.
   */
  user?: string;
  /**
   * 1 is first, 5 last; passed to Temporal.
   */
  priority?: number;
  /**
   * How many events started each other before this one; 0 is the first.
   */
  chainDepth?: number;
}
/**
 * One event: a script or a request, and all that decides how it is run.
 */
export interface EventSpec {
  id: string;
  name: string;
  type: EventType;
  script?: string | null;
  /**
   * The request of an event of type http_request.
   */
  http?: HttpRequestSpec | null;
  /**
   * @maxItems 10000
   */
  env?: EnvVar[];
  /**
   * Limit of the script alone, counted from its start; setup does not eat it.
   */
  timeoutSeconds?: number;
  /**
   * Time between TERM and KILL on timeout and cancel.
   */
  graceSeconds?: number;
  /**
   * Extra tries after a failed one: 2 means that a failing script runs 3 times.
   */
  retries?: number;
  backoff?: Backoff;
  resources?: Resources;
  network?: Network;
  /**
   * Image to run in; None is the operator's default image.
   */
  image?: string | null;
  /**
   * @maxItems 20
   */
  tags?: string[];
  /**
   * Whether the script may be run again when its host is lost in the middle.
   */
  idempotent?: boolean;
  /**
   * Servers to run on, inline or by name; None is one container. Names are those of
   * an inventory and must be replaced before the start. Image, network and resources
   * are those of containers and mean nothing on a server.
   */
  targets?: (ServerSpec | string)[] | null;
  /**
   * How the run spreads over the targets; None is all defaults.
   */
  fanOut?: FanOut | null;
  /**
   * What happens once, after the last try.
   *
   * @maxItems 20
   */
  actions?: (EventAction | MessageAction | CallbackAction)[];
}
/**
 * One execution; the result is there once the status is final.
 */
export interface ExecutionDetail {
  executionId: string;
  eventId: string;
  eventName: string;
  eventType: string;
  user: string;
  trigger: string;
  status: Status;
  workflowId: string;
  runId: string;
  /**
   * When the gateway first heard of it.
   */
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /**
   * Lines stored so far; also the `seq` of the last one.
   */
  lines: number;
  result: ExecutionResult | null;
}
/**
 * Executions, newest first.
 */
export interface ExecutionPage {
  executions: ExecutionSummary[];
  /**
   * Pass as `before` to get the next page; null on the last page.
   */
  nextBefore: number | null;
}
/**
 * The typed result of one execution: what `EventWorkflow` returns.
 */
export interface ExecutionResult {
  executionId: string;
  eventId: string;
  eventName: string;
  status: Status;
  /**
   * The script's own code; −1 timed out, −2 cancelled, 100 + n when n servers of a
   * fan-out failed and others did not. None when all failed with codes that differ.
   */
  exitCode: number | null;
  /**
   * Of a fan-out, the longest of each phase.
   */
  durations: PhaseDurations;
  /**
   * What the script gave back. Of a fan-out: `servers`, a map from name to output;
   * `default`, the output of the first server of the list that succeeded; `omitted`, the
   * names for whose outputs there was no room. None when no server gave any.
   */
  output: unknown;
  /**
   * Of a fan-out, that of the first server of the list that succeeded with one.
   */
  condition: boolean | null;
  error: ErrorInfo | null;
  logs: LogCounts;
  /**
   * Of a fan-out, the most that a server took.
   */
  attempts: number;
  targets: TargetResult[];
  /**
   * Of a fan-out: an event with more than one target.
   */
  counts: TargetCounts | null;
  /**
   * One row per action that fired, in the order of firing.
   */
  actions: ActionResult[];
}
/**
 * One execution without its result.
 */
export interface ExecutionSummary {
  executionId: string;
  eventId: string;
  eventName: string;
  eventType: string;
  user: string;
  trigger: string;
  status: Status;
  workflowId: string;
  runId: string;
  /**
   * When the gateway first heard of it.
   */
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /**
   * Lines stored so far; also the `seq` of the last one.
   */
  lines: number;
}
/**
 * How a run spreads over its targets.
 *
 * A server has failed when its last try did: FAILURE, TIMEOUT or LOST.
 */
export interface FanOut {
  /**
   * How many servers run side by side; at most 500, whatever the share.
   */
  forks?: number | string;
  /**
   * Batches: a size, or a list of sizes of which the last repeats. One batch ends
   * before the next begins. `[1, 5, "20%"]` on 100 servers: 1, 5, 20, 20, 20, 20, 14.
   */
  serial?: (number | string)[] | null;
  /**
   * So many servers run first, alone; when one of them fails, no other begins.
   */
  canary?: number | string | null;
  /**
   * How many servers may fail, this number included; the next failure stops the run
   * from beginning on further servers, those that run go on to their end. With 2, or
   * with "10%" of 25 servers, two failures are borne and the third stops it; 0 stops at
   * the first. None: all may fail.
   */
  maxFailures?: number | string | null;
  order?: Order;
  /**
   * Least time between two servers' first tries, in seconds. No timer of Temporal's
   * server fires within a second: what is between 0 and 1 works like 1.
   */
  staggerSeconds?: number;
  onFailure?: OnFailure;
  /**
   * By name of the server.
   */
  overrides?: {
    [k: string]: TargetOverride | undefined;
  };
}
/**
 * Fields as `application/x-www-form-urlencoded`.
 */
export interface FormBody {
  kind: "form";
  /**
   * @maxItems 200
   */
  fields: Pair[];
}
/**
 * One execution of one graph: the only argument of `GraphWorkflow`.
 */
export interface GraphRequest {
  /**
   * Set by schedules alone.
   */
  schedule?: ScheduleLink | null;
  /**
   * Left out by schedules; the workflow then makes it.
   */
  executionId?: string;
  /**
   * Of a schedule: the time that the run stands for, in UTC; set by the workflow.
   */
  scheduledFor?: string | null;
  workflow: GraphSpec;
  /**
   * Any JSON value; what nodes without others before them get.
   */
  input?: unknown;
  trigger?: Trigger;
  /**
   * Whose execution it is; decides who may read its logs, and whose variables.
   */
  user?: string;
  /**
   * 1 is first, 5 last; passed to Temporal.
   */
  priority?: number;
  /**
   * Of a rerun: nodes whose earlier ends are used again.
   */
  reuse?: {
    [k: string]: Reuse;
  };
  /**
   * The execution that this one repeats.
   */
  rerunOf?: string | null;
}
/**
 * The typed result of one execution of a graph: what `GraphWorkflow` returns.
 */
export interface GraphResult {
  executionId: string;
  /**
   * Id of the graph, not of Temporal's workflow.
   */
  workflowId: string;
  workflowName: string;
  /**
   * SUCCESS, FAILURE, TIMEOUT or CANCELLED; SKIPPED when the concurrency key was
   * taken and the graph says `onLimit: skip`.
   */
  status: Status;
  output: unknown;
  error: ErrorInfo | null;
  totalMs: number;
  nodes: NodeResult[];
  /**
   * Nodes for whose outputs there was no room in this result.
   */
  omitted: string[];
  counts: NodeCounts;
  logs: LogCounts;
  rerunOf: string | null;
}
/**
 * A graph of nodes: what runs, after what, and what its end means.
 */
export interface GraphSpec {
  id: string;
  name: string;
  description?: string;
  /**
   * Events that nodes name, by that name.
   */
  events?: {
    [k: string]: EventSpec;
  };
  nodes:
    | (EventNode | WaitNode | ApprovalNode | MapNode | SwitchNode | WorkflowNode)[]
    | {
        [k: string]: {
          [k: string]: unknown | undefined;
        };
      };
  /**
   * Whether a node that failed makes the run fail even when it was handled.
   */
  strict?: boolean;
  /**
   * Whether a run that would end as failed waits for somebody instead, who lets a
   * node run again, skips one, or resumes the run, which ends it.
   */
  holdOnFailure?: boolean;
  /**
   * How many nodes run side by side; waits and approvals do not count.
   */
  parallel?: number;
  /**
   * Limit of the whole run; what runs is stopped then.
   */
  timeoutSeconds?: number | null;
  concurrency?: Concurrency | null;
  /**
   * Value with expressions over `input` and `nodes`; None: see docs/workflows.md.
   */
  output?: unknown;
  /**
   * @maxItems 20
   */
  tags?: string[];
}
/**
 * One header line.
 */
export interface Header {
  value?: string | null;
  /**
   * Name of a secret that the worker resolves at the last moment.
   */
  secret?: string | null;
  name: string;
}
/**
 * One HTTP request, and what is made of its answer.
 */
export interface HttpRequestSpec {
  method?: HttpMethod;
  /**
   * Values of expressions are percent-encoded, unless they end with `| raw`.
   */
  url: string;
  /**
   * A list of `{name, value}` (the app's `key` is taken too) or a map.
   *
   * @maxItems 200
   */
  headers?: Header[];
  /**
   * Added to the URL's own query, encoded.
   *
   * @maxItems 200
   */
  query?: Pair[];
  body?: (JsonBody | FormBody | TextBody | MultipartBody) | null;
  auth?: (BasicAuth | BearerAuth) | null;
  /**
   * How many are followed; 0 takes a redirect as the answer.
   */
  redirects?: number;
  /**
   * Whether a redirect may lead from https to http.
   */
  allowDowngrade?: boolean;
  tls?: TlsOptions;
  timeouts?: HttpTimeouts;
  /**
   * @minItems 1
   * @maxItems 50
   */
  successStatuses?: string[];
  /**
   * With one of these the request is sent again within the try.
   *
   * @maxItems 50
   */
  retryStatuses?: string[];
  /**
   * How often it is sent again; after the server's Retry-After, else 1, 2, 4 … s.
   */
  retryAttempts?: number;
  /**
   * A server that asks for a longer wait is not asked again within the try.
   */
  retryMaxWaitSeconds?: number;
  /**
   * How much of the answer, decompressed, is kept; the rest is not read.
   */
  maxBodyBytes?: number;
}
/**
 * Limits of the parts of one exchange, in seconds.
 *
 * `timeoutSeconds` of the event bounds all of it: redirects, resends and waits too.
 */
export interface HttpTimeouts {
  /**
   * Name resolution, TCP and TLS, each of them.
   */
  connectSeconds?: number;
  /**
   * The silence before the answer, and between two pieces of it.
   */
  readSeconds?: number;
  /**
   * The server's not taking a piece of the request.
   */
  writeSeconds?: number;
}
/**
 * A JSON document. `{"secret": "NAME"}` anywhere in it is the secret's value.
 */
export interface JsonBody {
  kind: "json";
  /**
   * Any JSON value; a string that is one `{{ }}` takes the value with its type.
   */
  content: unknown;
}
/**
 * How much a script wrote, so that a reader can prove that it has all.
 */
export interface LogCounts {
  /**
   * Lines the script wrote to stdout and stderr, dropped ones included.
   */
  lines: number;
  bytes: number;
  /**
   * Lines left out because the run's log cap was reached.
   */
  droppedLines: number;
  droppedBytes: number;
  /**
   * Entries sent to the gateway: kept lines, the executor's notices, drop marks.
   */
  stored: number;
  /**
   * The last lines, redacted; at most 20 lines and 4 KiB.
   */
  lastLines: string[];
}
/**
 * One stored line, as REST and viewers see it.
 */
export interface LogLine {
  /**
   * Number within the execution, from 1 without a hole.
   */
  seq: number;
  target: string;
  attempt: number;
  dispatch: number;
  stream: Stream;
  streamSeq: number;
  timestamp: string;
  text: string;
  /**
   * Base64 of the exact bytes when `text` cannot hold them.
   */
  raw: string | null;
  dropped: number;
  /**
   * What a line of the stream `log` was made from: `level` and `fields`, or
   * `progress` with `fraction` and `text`.
   */
  data: {
    [k: string]: unknown | undefined;
  } | null;
}
/**
 * Stored lines in order of `seq`.
 */
export interface LogPage {
  lines: LogLine[];
  /**
   * Pass as `fromSeq` to go on.
   */
  nextSeq: number;
  /**
   * The execution is over and nothing follows after these lines.
   */
  complete: boolean;
  status: Status;
}
/**
 * Runs an event, or a graph, for each item of a list.
 *
 * Its output is the list of the items' outputs, in the order of the items; null where
 * an item gave none. `input` of an item is the item itself, unless `input` says else.
 */
export interface MapNode {
  id: string;
  /**
   * What people see; None is the id.
   */
  name?: string | null;
  /**
   * The nodes before it, in order; none: it runs at the start.
   */
  after?:
    | string
    | (string | Edge)[]
    | {
        [k: string]: unknown | undefined;
      };
  join?: Join;
  /**
   * Any JSON value with expressions in its texts; None: see `default_input`.
   */
  input?: unknown;
  /**
   * Limit of the whole node: its tries, waits and queues. What runs is stopped.
   */
  timeoutSeconds?: number | null;
  /**
   * Its failure counts as borne: `on_success` edges fire as well.
   */
  continueOnFailure?: boolean;
  kind: "map";
  /**
   * An expression that gives a list, or the list.
   */
  items: unknown[] | string;
  event?: (EventSpec | string) | null;
  workflow?: GraphSpec | null;
  retries?: number | null;
  /**
   * How many items run side by side.
   */
  parallel?: number;
  onItemFailure?: OnItemFailure;
  /**
   * So many items may fail, a number or a share, and the node still succeeds.
   */
  maxFailures?: number | string;
}
/**
 * Send a message through Apprise. Subject and body are Jinja2 templates.
 */
export interface MessageAction {
  kind: "message";
  when?: When;
  /**
   * @minItems 1
   * @maxItems 20
   */
  targets: MessageTarget[];
  /**
   * Unset: name and status of the event.
   */
  subject?: string;
  body: string;
  /**
   * In `html`, values are escaped unless the template says `| safe`.
   */
  format?: MessageFormat;
  /**
   * Extra tries for targets that did not take it; the others get it once.
   */
  retries?: number;
}
/**
 * Where a message goes: an Apprise URL, or the secret that holds one.
 *
 * Most such URLs hold a token or a password. What is given as `url` is stored by
 * Temporal as it is, so those belong into a secret.
 */
export interface MessageTarget {
  url?: string | null;
  secret?: string | null;
}
/**
 * Fields and files as `multipart/form-data`.
 */
export interface MultipartBody {
  kind: "multipart";
  /**
   * @minItems 1
   * @maxItems 200
   */
  parts: Part[];
}
/**
 * How many nodes ended in which way.
 */
export interface NodeCounts {
  total: number;
  succeeded: number;
  /**
   * FAILURE, TIMEOUT, LOST or PARTIAL; handled ones included.
   */
  failed: number;
  handled: number;
  skipped: number;
  cancelled: number;
}
/**
 * What somebody said about a node.
 */
export interface NodeDecision {
  /**
   * `approved`, `rejected`, `skipped` or `retried`.
   */
  verdict: string;
  by: string;
  why: string;
  /**
   * Seconds since 1970.
   */
  at: number;
}
/**
 * What is to be done with a node: updates `skip_node` and `retry_node`.
 */
export interface NodeOrder {
  node: string;
  by: string;
  why?: string;
  /**
   * Of a skip: whether what follows runs as if the node had succeeded.
   */
  passes?: boolean;
}
/**
 * Where a node stands, and how it ended.
 */
export interface NodeResult {
  node: string;
  kind: NodeKind;
  status: Status;
  /**
   * It failed, and that was foreseen: by an edge to a node that ran, or since the
   * node says `continueOnFailure`.
   */
  handled: boolean;
  /**
   * Of a switch: what it has chosen.
   */
  case: string | null;
  condition: boolean | null;
  output: unknown;
  /**
   * Of a skipped node: why.
   */
  error: ErrorInfo | null;
  exitCode: number | null;
  /**
   * Seconds since 1970; None when it did not begin.
   */
  startedAt: number | null;
  endedAt: number | null;
  /**
   * Of an event, the most tries that a target took.
   */
  attempts: number;
  /**
   * Of an event: its last try's phases, and all of it; in milliseconds.
   */
  durations: PhaseDurations;
  logs: LogCounts;
  /**
   * Of an event on several servers, a row for each, without outputs.
   */
  targets: TargetResult[];
  /**
   * Of an event, one row for each of its actions that fired.
   */
  actions: ActionResult[];
  /**
   * Of a fan-out its servers, of a map its items.
   */
  counts: TargetCounts | null;
  /**
   * Of a map, the first items that did not succeed; at most 20.
   */
  failedItems: number[];
  /**
   * Who approved, rejected, skipped or retried it, and why.
   */
  decisions: NodeDecision[];
  /**
   * The execution whose result this is.
   */
  reusedFrom: string | null;
  /**
   * What holds it up: an approval, a time, a place among the runs of its key.
   */
  waitingFor: string;
}
/**
 * One query parameter or form field. The app's word for `name` is `key`.
 */
export interface Pair {
  value?: string | null;
  /**
   * Name of a secret that the worker resolves at the last moment.
   */
  secret?: string | null;
  name: string;
}
/**
 * One part of a multipart form: a field, or a file when it has a file name.
 */
export interface Part {
  value?: string | null;
  /**
   * Name of a secret that the worker resolves at the last moment.
   */
  secret?: string | null;
  name: string;
  /**
   * Instead of `value`: the bytes of a file.
   */
  base64?: string | null;
  filename?: string | null;
  contentType?: string | null;
}
/**
 * How long each phase took, in whole milliseconds.
 */
export interface PhaseDurations {
  /**
   * From the worker's pick-up to the script's start: image, directory, sandbox.
   */
  setupMs: number;
  /**
   * The script itself; the only phase the user's timeout covers.
   */
  executionMs: number;
  /**
   * Draining the log and removing the sandbox.
   */
  cleanupMs: number;
  totalMs: number;
}
/**
 * What to run again of a run that is over: argument of the query `rerun`.
 */
export interface RerunOrder {
  /**
   * Nodes to run anew, with all behind them; empty: those that failed and were not
   * handled.
   *
   * @maxItems 1000
   */
  again?: string[];
  /**
   * The graph as it is now; unset: as it was.
   */
  workflow?: GraphSpec | null;
}
/**
 * What a sandbox may use. Memory includes /tmp, which is kept in memory.
 */
export interface Resources {
  memoryMb?: number;
  cpus?: number;
  pids?: number;
  tmpMb?: number;
}
/**
 * How a node ended in an earlier run; it is taken as it is and not run again.
 */
export interface Reuse {
  status: Status;
  output?: unknown;
  condition?: boolean | null;
  case?: string | null;
  /**
   * The run it is taken from.
   */
  executionId: string;
}
/**
 * Another user of the server to run scripts as, by sudo.
 */
export interface RunAs {
  user?: string;
  /**
   * The login user's password for sudo; None: sudo asks for none.
   */
  password?: SecretText | null;
}
/**
 * Which schedule starts an execution, and what it wants at the end.
 */
export interface ScheduleLink {
  id: string;
  pauseOnFailure?: boolean;
  maxRuns?: number | null;
}
/**
 * One schedule: what runs, when, and what happens when that does not fit.
 */
export interface ScheduleSpec {
  id: string;
  description?: string;
  event?: EventSpec | null;
  workflow?: GraphSpec | null;
  /**
   * Any JSON value, the same for each run.
   */
  input?: unknown;
  /**
   * Seconds from run to run, whatever the clock does. Counted from `startAt`,
   * else from 1970-01-01T00:00Z, so that applying a file again shifts nothing.
   */
  everySeconds?: number | null;
  /**
   * Expressions of five fields; a time that several mean is one run.
   *
   * @maxItems 10
   */
  cron?: string[];
  timezone?: string;
  /**
   * No run before it; with `everySeconds` the first run. Without an offset it is a
   * time in `timezone`.
   */
  startAt?: string | null;
  /**
   * No run after it.
   */
  endAt?: string | null;
  /**
   * Each run begins up to so much later; how much differs from run to run.
   */
  jitterSeconds?: number;
  overlap?: Overlap;
  /**
   * Runs that Temporal missed while it was down are made up for when they are at most
   * so old.
   */
  catchUpSeconds?: number;
  /**
   * After so many runs it is paused; those by hand do not count.
   */
  maxRuns?: number | null;
  /**
   * Whether a run that does not succeed pauses it; a cancelled one does not.
   */
  pauseOnFailure?: boolean;
  /**
   * What applying the file does: pause or resume; None leaves it as it is.
   */
  paused?: boolean | null;
  /**
   * Whose executions they are.
   */
  user?: string;
  priority?: number;
}
/**
 * A secret: its name on the worker, or, in encrypted requests, the value itself.
 */
export interface SecretText {
  /**
   * Name of a secret that the worker resolves at the last moment.
   */
  secret?: string | null;
  value?: string | null;
  /**
   * Whether the text is base64 of what is meant; usual for keys in one line.
   */
  base64?: boolean;
}
/**
 * A server on which scripts run.
 */
export interface ServerSpec {
  /**
   * Host name or IP address.
   */
  address: string;
  port?: number;
  username: string;
  credentials: Credentials;
  /**
   * Pinned: `ssh-ed25519 AAAA…` or `SHA256:…`. Empty: known_hosts decides.
   *
   * @maxItems 16
   */
  hostKeys?: string[];
  algorithms?: Algorithms;
  id: string;
  name: string;
  /**
   * Hosts to go through; the first is dialled first.
   *
   * @maxItems 4
   */
  jump?: Endpoint[];
  /**
   * Where scripts start; None is the home directory.
   */
  workingDirectory?: string | null;
  runAs?: RunAs | null;
  /**
   * Whether to ask for a terminal, for a sudo that insists on one. Scripts run
   * detached in any case and have none.
   */
  pty?: boolean;
  deadlines?: Deadlines;
  /**
   * @maxItems 20
   */
  tags?: string[];
  /**
   * @maxItems 20
   */
  groups?: string[];
}
/**
 * A word to the whole run: updates `pause` and `resume`.
 */
export interface Steering {
  by: string;
  why?: string;
}
/**
 * Chooses one of several cases; edges with that `case` fire.
 *
 * Its output is `{"case": NAME}`, with null when none was true and no `default` is.
 */
export interface SwitchNode {
  id: string;
  /**
   * What people see; None is the id.
   */
  name?: string | null;
  /**
   * The nodes before it, in order; none: it runs at the start.
   */
  after?:
    | string
    | (string | Edge)[]
    | {
        [k: string]: unknown | undefined;
      };
  join?: Join;
  /**
   * Any JSON value with expressions in its texts; None: see `default_input`.
   */
  input?: unknown;
  /**
   * Limit of the whole node: its tries, waits and queues. What runs is stopped.
   */
  timeoutSeconds?: number | null;
  /**
   * Its failure counts as borne: `on_success` edges fire as well.
   */
  continueOnFailure?: boolean;
  kind: "switch";
  /**
   * @minItems 1
   * @maxItems 50
   */
  cases: Case[];
  default?: string | null;
}
/**
 * How many targets of a fan-out ended in which way.
 */
export interface TargetCounts {
  total: number;
  succeeded: number;
  /**
   * With status FAILURE; those that timed out or were lost are counted apart.
   */
  failed: number;
  timedOut: number;
  lost: number;
  cancelled: number;
  /**
   * Not begun, since others had failed.
   */
  skipped: number;
}
/**
 * What is different on one server; None is as in the event.
 */
export interface TargetOverride {
  timeoutSeconds?: number | null;
  retries?: number | null;
}
/**
 * What happened on one target.
 */
export interface TargetResult {
  target: string;
  status: Status;
  exitCode: number | null;
  /**
   * Of the last try; `total_ms` covers all tries and the waits between them.
   */
  durations: PhaseDurations;
  /**
   * None in a fan-out, whose outputs are in the execution's own.
   */
  output: unknown;
  condition: boolean | null;
  error: ErrorInfo | null;
  /**
   * Over all tries.
   */
  logs: LogCounts;
  /**
   * Times the script was started or was about to be.
   */
  attempts: number;
  /**
   * Id of the worker host that ran the last try.
   */
  host: string | null;
}
/**
 * Text as it is, in UTF-8.
 */
export interface TextBody {
  kind: "text";
  text: string;
  /**
   * Unset: a header's, else JSON when the text is JSON, else plain text. With a
   * header of a form type a JSON object becomes its fields, as the app stores them.
   */
  contentType?: string | null;
}
/**
 * How the server of an https URL is proved.
 */
export interface TlsOptions {
  /**
   * False takes any certificate; the operator may forbid it.
   */
  verify?: boolean;
  /**
   * Secret with the PEM certificates that are trusted instead of the usual ones.
   */
  caSecret?: string | null;
  minVersion?: "1.2" | "1.3";
}
/**
 * Gateway → viewer: too slow; connect again with `fromSeq = resume_from`.
 */
export interface ViewerCutOff {
  type: "cutoff";
  resumeFrom: number;
  reason: string;
}
/**
 * Gateway → viewer: the execution is over and every line was sent.
 */
export interface ViewerEnd {
  type: "end";
  status: Status;
  lastSeq: number;
  /**
   * False when lines that the worker counted have not arrived (yet).
   */
  complete: boolean;
}
/**
 * Gateway → viewer: the next lines in order of `seq`.
 */
export interface ViewerLines {
  type: "lines";
  lines: LogLine[];
}
/**
 * Gateway → viewer: the execution's status changed.
 */
export interface ViewerStatus {
  type: "status";
  status: Status;
}
/**
 * Waits for a time, or until one.
 */
export interface WaitNode {
  id: string;
  /**
   * What people see; None is the id.
   */
  name?: string | null;
  /**
   * The nodes before it, in order; none: it runs at the start.
   */
  after?:
    | string
    | (string | Edge)[]
    | {
        [k: string]: unknown | undefined;
      };
  join?: Join;
  /**
   * Any JSON value with expressions in its texts; None: see `default_input`.
   */
  input?: unknown;
  /**
   * Limit of the whole node: its tries, waits and queues. What runs is stopped.
   */
  timeoutSeconds?: number | null;
  /**
   * Its failure counts as borne: `on_success` edges fire as well.
   */
  continueOnFailure?: boolean;
  kind: "wait";
  seconds?: (number | string) | null;
  /**
   * A time with its zone (ISO 8601), or an expression that gives one.
   */
  until?: string | null;
}
/**
 * Runs another graph as one node; its output is that graph's.
 */
export interface WorkflowNode {
  id: string;
  /**
   * What people see; None is the id.
   */
  name?: string | null;
  /**
   * The nodes before it, in order; none: it runs at the start.
   */
  after?:
    | string
    | (string | Edge)[]
    | {
        [k: string]: unknown | undefined;
      };
  join?: Join;
  /**
   * Any JSON value with expressions in its texts; None: see `default_input`.
   */
  input?: unknown;
  /**
   * Limit of the whole node: its tries, waits and queues. What runs is stopped.
   */
  timeoutSeconds?: number | null;
  /**
   * Its failure counts as borne: `on_success` edges fire as well.
   */
  continueOnFailure?: boolean;
  kind: "workflow";
  workflow: GraphSpec;
}
