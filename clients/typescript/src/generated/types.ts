// Made by `npm run generate` from contracts.json: do not edit.

/**
 * What an action does.
 */
export type ActionKind = "event" | "message" | "callback";
/**
 * What kind of work an event is.
 */
export type EventType = "bash" | "python" | "nodejs" | "http_request";
/**
 * The methods an event may use.
 */
export type HttpMethod = "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE";
/**
 * What the body of a message is written in.
 */
export type MessageFormat = "text" | "markdown" | "html";
/**
 * What a script may reach.
 */
export type Network = "none" | "egress";
/**
 * What one failed server means for the others.
 */
export type OnFailure = "continue" | "fail_fast";
/**
 * In which order servers have their turn.
 */
export type Order = "listed" | "reverse" | "name" | "random";
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
 * One execution of one event: the only argument of `EventWorkflow`.
 */
export interface EventRequest {
  executionId: string;
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
   * Least time between two servers' first tries.
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
 * What a sandbox may use. Memory includes /tmp, which is kept in memory.
 */
export interface Resources {
  memoryMb?: number;
  cpus?: number;
  pids?: number;
  tmpMb?: number;
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
