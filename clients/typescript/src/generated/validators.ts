// Made by `npm run generate` from contracts.json: do not edit.

import { z } from "zod";
import { array, json, record, tagged, text } from "../schema.js";
import type * as types from "./types.js";

export const Algorithms: z.ZodType<types.Algorithms> = z.strictObject({
  kex: array(text({"min":1,"max":64,"pattern":"^[a-z0-9][A-Za-z0-9@.-]*$"}), 0, 16).optional(),
  ciphers: array(text({"min":1,"max":64,"pattern":"^[a-z0-9][A-Za-z0-9@.-]*$"}), 0, 16).optional(),
  macs: array(text({"min":1,"max":64,"pattern":"^[a-z0-9][A-Za-z0-9@.-]*$"}), 0, 16).optional(),
  hostKeys: array(text({"min":1,"max":64,"pattern":"^[a-z0-9][A-Za-z0-9@.-]*$"}), 0, 16).optional(),
});

export const EdgeWhen: z.ZodType<types.EdgeWhen> = z.enum(["always","on_success","on_failure","on_condition","on_condition_false","on_case"]);

export const Edge: z.ZodType<types.Edge> = z.strictObject({
  node: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  when: EdgeWhen.optional(),
  case: text({"min":1,"max":100}).nullable().optional(),
});

export const Join: z.ZodType<types.Join> = z.enum(["all","any"]);

export const ApprovalNode: z.ZodType<types.ApprovalNode> = z.strictObject({
  id: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}).nullable().optional(),
  after: z.union([text(), array(z.union([text(), Edge]), 0), record(text(), json())]).optional(),
  join: Join.optional(),
  input: json().optional(),
  timeoutSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  continueOnFailure: z.boolean().optional(),
  kind: z.literal("approval"),
  message: text({"min":1,"max":2000}).nullable().optional(),
  expiresSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  approvers: array(text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}), 0, 50).optional(),
});

export const Backoff: z.ZodType<types.Backoff> = z.strictObject({
  initialSeconds: z.number().min(0).max(3600).optional(),
  factor: z.number().min(1).max(10).optional(),
  maxSeconds: z.number().min(0).max(86400).optional(),
});

export const Credential: z.ZodType<types.Credential> = z.strictObject({
  value: text({"max":16384}).nullable().optional(),
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
});

export const BasicAuth: z.ZodType<types.BasicAuth> = z.strictObject({
  kind: z.literal("basic"),
  username: Credential,
  password: Credential,
});

export const BearerAuth: z.ZodType<types.BearerAuth> = z.strictObject({
  kind: z.literal("bearer"),
  token: Credential,
});

export const When: z.ZodType<types.When> = z.enum(["always","on_success","on_failure","on_condition"]);

export const Header: z.ZodType<types.Header> = z.strictObject({
  value: text({"max":16384}).nullable().optional(),
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
  name: text({"min":1,"max":256}),
});

export const CallbackAction: z.ZodType<types.CallbackAction> = z.strictObject({
  kind: z.literal("callback"),
  when: When.optional(),
  url: text({"min":1,"max":8192}),
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}),
  headers: array(Header, 0, 200).optional(),
  retries: z.int().min(0).max(10).optional(),
  timeoutSeconds: z.number().gt(0).max(60).optional(),
});

export const Case: z.ZodType<types.Case> = z.strictObject({
  name: text({"min":1,"max":100}),
  if: text({"min":1,"max":2000}),
});

export const OnLimit: z.ZodType<types.OnLimit> = z.enum(["queue","skip","cancel_previous"]);

export const Concurrency: z.ZodType<types.Concurrency> = z.strictObject({
  key: text({"min":1,"max":2000}),
  limit: z.int().min(1).max(1000).optional(),
  onLimit: OnLimit.optional(),
});

export const SecretText: z.ZodType<types.SecretText> = z.strictObject({
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
  value: text({"max":65536}).nullable().optional(),
  base64: z.boolean().optional(),
});

export const Credentials: z.ZodType<types.Credentials> = z.strictObject({
  key: SecretText.nullable().optional(),
  passphrase: SecretText.nullable().optional(),
  certificate: SecretText.nullable().optional(),
  password: SecretText.nullable().optional(),
  agent: z.boolean().optional(),
});

export const Deadlines: z.ZodType<types.Deadlines> = z.strictObject({
  connectSeconds: z.number().gt(0).max(3600).optional(),
  bannerSeconds: z.number().gt(0).max(3600).optional(),
  authSeconds: z.number().gt(0).max(3600).optional(),
  idleSeconds: z.number().gt(0).max(3600).optional(),
  totalSeconds: z.number().gt(0).max(3600).optional(),
  unreachableSeconds: z.number().min(0).max(86400).nullable().optional(),
});

export const Decision: z.ZodType<types.Decision> = z.strictObject({
  node: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  approved: z.boolean(),
  by: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  why: text({"max":2000}).optional(),
});

export const Endpoint: z.ZodType<types.Endpoint> = z.strictObject({
  address: text({"min":1,"max":253,"pattern":"^[A-Za-z0-9_:][A-Za-z0-9._:%-]*$"}),
  port: z.int().min(1).max(65535).optional(),
  username: text({"min":1,"max":64,"pattern":"^[A-Za-z0-9_][A-Za-z0-9_.@\\\\-]*\\$?$"}),
  credentials: Credentials,
  hostKeys: array(text(), 0, 16).optional(),
  algorithms: Algorithms.optional(),
});

export const EnvVar: z.ZodType<types.EnvVar> = z.strictObject({
  name: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_]*$"}),
  value: text().nullable().optional(),
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
});

export const EventType: z.ZodType<types.EventType> = z.enum(["bash","python","nodejs","http_request"]);

export const HttpMethod: z.ZodType<types.HttpMethod> = z.enum(["GET","HEAD","OPTIONS","POST","PUT","PATCH","DELETE"]);

export const Pair: z.ZodType<types.Pair> = z.strictObject({
  value: text({"max":16384}).nullable().optional(),
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
  name: text({"min":1,"max":256}),
});

export const JsonBody: z.ZodType<types.JsonBody> = z.strictObject({
  kind: z.literal("json"),
  content: json(),
});

export const FormBody: z.ZodType<types.FormBody> = z.strictObject({
  kind: z.literal("form"),
  fields: array(Pair, 0, 200),
});

export const TextBody: z.ZodType<types.TextBody> = z.strictObject({
  kind: z.literal("text"),
  text: text(),
  contentType: text({"max":200,"pattern":"^[!-~]+/[!-~]+(;[ -~]*)?$"}).nullable().optional(),
});

export const Part: z.ZodType<types.Part> = z.strictObject({
  value: text({"max":16384}).nullable().optional(),
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
  name: text({"min":1,"max":256}),
  base64: text().nullable().optional(),
  filename: text({"max":255}).nullable().optional(),
  contentType: text({"max":200,"pattern":"^[!-~]+/[!-~]+(;[ -~]*)?$"}).nullable().optional(),
});

export const MultipartBody: z.ZodType<types.MultipartBody> = z.strictObject({
  kind: z.literal("multipart"),
  parts: array(Part, 1, 200),
});

export const TlsOptions: z.ZodType<types.TlsOptions> = z.strictObject({
  verify: z.boolean().optional(),
  caSecret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
  minVersion: z.enum(["1.2","1.3"]).optional(),
});

export const HttpTimeouts: z.ZodType<types.HttpTimeouts> = z.strictObject({
  connectSeconds: z.number().gt(0).max(600).optional(),
  readSeconds: z.number().gt(0).max(86400).optional(),
  writeSeconds: z.number().gt(0).max(86400).optional(),
});

export const HttpRequestSpec: z.ZodType<types.HttpRequestSpec> = z.strictObject({
  method: HttpMethod.optional(),
  url: text({"min":1,"max":8192}),
  headers: array(Header, 0, 200).optional(),
  query: array(Pair, 0, 200).optional(),
  body: tagged<types.FormBody | types.JsonBody | types.MultipartBody | types.TextBody>("kind", { "form": () => FormBody, "json": () => JsonBody, "multipart": () => MultipartBody, "text": () => TextBody }).nullable().optional(),
  auth: tagged<types.BasicAuth | types.BearerAuth>("kind", { "basic": () => BasicAuth, "bearer": () => BearerAuth }).nullable().optional(),
  redirects: z.int().min(0).max(20).optional(),
  allowDowngrade: z.boolean().optional(),
  tls: TlsOptions.optional(),
  timeouts: HttpTimeouts.optional(),
  successStatuses: array(text(), 1, 50).optional(),
  retryStatuses: array(text(), 0, 50).optional(),
  retryAttempts: z.int().min(0).max(10).optional(),
  retryMaxWaitSeconds: z.number().min(0).max(600).optional(),
  maxBodyBytes: z.int().min(0).max(524288).optional(),
});

export const Resources: z.ZodType<types.Resources> = z.strictObject({
  memoryMb: z.int().min(16).max(65536).optional(),
  cpus: z.number().min(0.05).max(64).optional(),
  pids: z.int().min(8).max(4096).optional(),
  tmpMb: z.int().min(1).max(16384).optional(),
});

export const Network: z.ZodType<types.Network> = z.enum(["none","egress"]);

export const RunAs: z.ZodType<types.RunAs> = z.strictObject({
  user: text({"min":1,"max":64,"pattern":"^[A-Za-z0-9_][A-Za-z0-9_.@\\\\-]*\\$?$"}).optional(),
  password: SecretText.nullable().optional(),
});

export const ServerSpec: z.ZodType<types.ServerSpec> = z.strictObject({
  address: text({"min":1,"max":253,"pattern":"^[A-Za-z0-9_:][A-Za-z0-9._:%-]*$"}),
  port: z.int().min(1).max(65535).optional(),
  username: text({"min":1,"max":64,"pattern":"^[A-Za-z0-9_][A-Za-z0-9_.@\\\\-]*\\$?$"}),
  credentials: Credentials,
  hostKeys: array(text(), 0, 16).optional(),
  algorithms: Algorithms.optional(),
  id: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}),
  jump: array(Endpoint, 0, 4).optional(),
  workingDirectory: text({"max":4096,"pattern":"^/[^\\x00\\r\\n]*$"}).nullable().optional(),
  runAs: RunAs.nullable().optional(),
  pty: z.boolean().optional(),
  deadlines: Deadlines.optional(),
  tags: array(text({"min":1,"max":50}), 0, 20).optional(),
  groups: array(text({"min":1,"max":50}), 0, 20).optional(),
});

export const Order: z.ZodType<types.Order> = z.enum(["listed","reverse","name","random"]);

export const OnFailure: z.ZodType<types.OnFailure> = z.enum(["continue","fail_fast"]);

export const TargetOverride: z.ZodType<types.TargetOverride> = z.strictObject({
  timeoutSeconds: z.number().gt(0).max(86400).nullable().optional(),
  retries: z.int().min(0).max(10).nullable().optional(),
});

export const FanOut: z.ZodType<types.FanOut> = z.strictObject({
  forks: z.union([z.int(), text()]).optional(),
  serial: array(z.union([z.int(), text()]), 1, 100).nullable().optional(),
  canary: z.union([z.int(), text()]).nullable().optional(),
  maxFailures: z.union([z.int(), text()]).nullable().optional(),
  order: Order.optional(),
  staggerSeconds: z.number().min(0).max(3600).optional(),
  onFailure: OnFailure.optional(),
  overrides: record(text({"min":1,"max":100}), TargetOverride, 2500).optional(),
});

export const MessageTarget: z.ZodType<types.MessageTarget> = z.strictObject({
  url: text({"max":2048}).nullable().optional(),
  secret: text({"max":255,"pattern":"^[A-Za-z_][A-Za-z0-9_.-]*$"}).nullable().optional(),
});

export const MessageFormat: z.ZodType<types.MessageFormat> = z.enum(["text","markdown","html"]);

export const MessageAction: z.ZodType<types.MessageAction> = z.strictObject({
  kind: z.literal("message"),
  when: When.optional(),
  targets: array(MessageTarget, 1, 20),
  subject: text({"max":1024}).optional(),
  body: text({"min":1,"max":32768}),
  format: MessageFormat.optional(),
  retries: z.int().min(0).max(10).optional(),
});

export const EventSpec: z.ZodType<types.EventSpec> = z.strictObject({
  id: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}),
  type: EventType,
  script: text().nullable().optional(),
  http: HttpRequestSpec.nullable().optional(),
  env: array(EnvVar, 0, 10000).optional(),
  timeoutSeconds: z.number().gt(0).max(86400).optional(),
  graceSeconds: z.number().min(0).max(60).optional(),
  retries: z.int().min(0).max(10).optional(),
  backoff: Backoff.optional(),
  resources: Resources.optional(),
  network: Network.optional(),
  image: text({"min":1,"max":255,"pattern":"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$"}).nullable().optional(),
  tags: array(text({"min":1,"max":50}), 0, 20).optional(),
  idempotent: z.boolean().optional(),
  targets: array(z.union([ServerSpec, text({"min":1,"max":100})]), 1, 2500).nullable().optional(),
  fanOut: FanOut.nullable().optional(),
  actions: array(tagged<types.CallbackAction | types.EventAction | types.MessageAction>("kind", { "callback": () => CallbackAction, "event": () => EventAction, "message": () => MessageAction }), 0, 20).optional(),
});

export const EventAction: z.ZodType<types.EventAction> = z.strictObject({
  kind: z.literal("event"),
  when: When.optional(),
  event: EventSpec.nullable().optional(),
  eventId: text().nullable().optional(),
});

export const EventNode: z.ZodType<types.EventNode> = z.strictObject({
  id: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}).nullable().optional(),
  after: z.union([text(), array(z.union([text(), Edge]), 0), record(text(), json())]).optional(),
  join: Join.optional(),
  input: json().optional(),
  timeoutSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  continueOnFailure: z.boolean().optional(),
  kind: z.literal("event").optional(),
  event: z.union([EventSpec, text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"})]),
  retries: z.int().min(0).max(10).nullable().optional(),
  concurrency: Concurrency.nullable().optional(),
});

export const ScheduleLink: z.ZodType<types.ScheduleLink> = z.strictObject({
  id: text({"min":1,"max":64,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  pauseOnFailure: z.boolean().optional(),
  maxRuns: z.int().min(1).nullable().optional(),
});

export const Trigger: z.ZodType<types.Trigger> = z.enum(["manual","api","schedule","webhook","workflow","action"]);

export const EventRequest: z.ZodType<types.EventRequest> = z.strictObject({
  schedule: ScheduleLink.nullable().optional(),
  executionId: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}).optional(),
  scheduledFor: text({"max":40}).nullable().optional(),
  event: EventSpec,
  input: json().optional(),
  trigger: Trigger.optional(),
  user: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}).optional(),
  priority: z.int().min(1).max(5).optional(),
  chainDepth: z.int().min(0).optional(),
});

export const WaitNode: z.ZodType<types.WaitNode> = z.strictObject({
  id: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}).nullable().optional(),
  after: z.union([text(), array(z.union([text(), Edge]), 0), record(text(), json())]).optional(),
  join: Join.optional(),
  input: json().optional(),
  timeoutSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  continueOnFailure: z.boolean().optional(),
  kind: z.literal("wait"),
  seconds: z.union([z.number().min(0).max(31622400), text({"min":1,"max":2000})]).nullable().optional(),
  until: text({"min":1,"max":2000}).nullable().optional(),
});

export const OnItemFailure: z.ZodType<types.OnItemFailure> = z.enum(["continue","stop"]);

export const MapNode: z.ZodType<types.MapNode> = z.strictObject({
  id: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}).nullable().optional(),
  after: z.union([text(), array(z.union([text(), Edge]), 0), record(text(), json())]).optional(),
  join: Join.optional(),
  input: json().optional(),
  timeoutSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  continueOnFailure: z.boolean().optional(),
  kind: z.literal("map"),
  items: z.union([array(json(), 0, 10000), text({"min":1,"max":2000})]),
  event: z.union([EventSpec, text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"})]).nullable().optional(),
  workflow: z.lazy(() => GraphSpec).nullable().optional(),
  retries: z.int().min(0).max(10).nullable().optional(),
  parallel: z.int().min(1).max(500).optional(),
  onItemFailure: OnItemFailure.optional(),
  maxFailures: z.union([z.int(), text()]).optional(),
});

export const SwitchNode: z.ZodType<types.SwitchNode> = z.strictObject({
  id: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}).nullable().optional(),
  after: z.union([text(), array(z.union([text(), Edge]), 0), record(text(), json())]).optional(),
  join: Join.optional(),
  input: json().optional(),
  timeoutSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  continueOnFailure: z.boolean().optional(),
  kind: z.literal("switch"),
  cases: array(Case, 1, 50),
  default: text({"min":1,"max":100}).nullable().optional(),
});

export const WorkflowNode: z.ZodType<types.WorkflowNode> = z.strictObject({
  id: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}).nullable().optional(),
  after: z.union([text(), array(z.union([text(), Edge]), 0), record(text(), json())]).optional(),
  join: Join.optional(),
  input: json().optional(),
  timeoutSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  continueOnFailure: z.boolean().optional(),
  kind: z.literal("workflow"),
  workflow: z.lazy(() => GraphSpec),
});

export const GraphSpec: z.ZodType<types.GraphSpec> = z.strictObject({
  id: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  name: text({"min":1,"max":100}),
  description: text({"max":1000}).optional(),
  events: record(text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}), EventSpec, 1000).optional(),
  nodes: z.union([array(tagged<types.EventNode | types.WaitNode | types.ApprovalNode | types.MapNode | types.SwitchNode | types.WorkflowNode>("kind", { "event": () => EventNode, "wait": () => WaitNode, "approval": () => ApprovalNode, "map": () => MapNode, "switch": () => SwitchNode, "workflow": () => WorkflowNode }, "event"), 0), record(text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}), record(text(), json()))]),
  strict: z.boolean().optional(),
  holdOnFailure: z.boolean().optional(),
  parallel: z.int().min(1).max(500).optional(),
  timeoutSeconds: z.number().gt(0).max(31622400).nullable().optional(),
  concurrency: Concurrency.nullable().optional(),
  output: json().optional(),
  tags: array(text({"min":1,"max":50}), 0, 20).optional(),
});

export const Status: z.ZodType<types.Status> = z.enum(["PENDING","RUNNING","SUCCESS","FAILURE","TIMEOUT","CANCELLED","PARTIAL","LOST","SKIPPED"]);

export const Reuse: z.ZodType<types.Reuse> = z.strictObject({
  status: Status,
  output: json().optional(),
  condition: z.boolean().nullable().optional(),
  case: text().nullable().optional(),
  executionId: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
});

export const GraphRequest: z.ZodType<types.GraphRequest> = z.strictObject({
  schedule: ScheduleLink.nullable().optional(),
  executionId: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}).optional(),
  scheduledFor: text({"max":40}).nullable().optional(),
  workflow: GraphSpec,
  input: json().optional(),
  trigger: Trigger.optional(),
  user: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}).optional(),
  priority: z.int().min(1).max(5).optional(),
  reuse: record(text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}), Reuse, 1000).optional(),
  rerunOf: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}).nullable().optional(),
});

export const NodeOrder: z.ZodType<types.NodeOrder> = z.strictObject({
  node: text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  by: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  why: text({"max":2000}).optional(),
  passes: z.boolean().optional(),
});

export const Overlap: z.ZodType<types.Overlap> = z.enum(["skip","buffer_one","buffer_all","cancel_other","allow_all"]);

export const RerunOrder: z.ZodType<types.RerunOrder> = z.strictObject({
  again: array(text({"min":1,"max":60,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}), 0, 1000).optional(),
  workflow: GraphSpec.nullable().optional(),
});

export const ScheduleSpec: z.ZodType<types.ScheduleSpec> = z.strictObject({
  id: text({"min":1,"max":64,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  description: text({"max":1000}).optional(),
  event: EventSpec.nullable().optional(),
  workflow: GraphSpec.nullable().optional(),
  input: json().optional(),
  everySeconds: z.int().min(1).max(31622400).nullable().optional(),
  cron: array(text(), 0, 10).optional(),
  timezone: text().optional(),
  startAt: text().nullable().optional(),
  endAt: text().nullable().optional(),
  jitterSeconds: z.int().min(0).max(86400).optional(),
  overlap: Overlap.optional(),
  catchUpSeconds: z.int().min(10).max(31622400).optional(),
  maxRuns: z.int().min(1).max(1000000).nullable().optional(),
  pauseOnFailure: z.boolean().optional(),
  paused: z.boolean().nullable().optional(),
  user: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}).optional(),
  priority: z.int().min(1).max(5).optional(),
});

export const Steering: z.ZodType<types.Steering> = z.strictObject({
  by: text({"min":1,"max":100,"pattern":"^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
  why: text({"max":2000}).optional(),
});
