/** Everything for servers; `@cronium/client/browser` has what pages may use. */

export { Cronium, type CroniumOptions, type RunOptions } from "./client.js";
export { EncryptionCodec } from "./codec.js";
export type { TemporalOptions } from "./connection.js";
export { localStack, optionsFromEnvironment } from "./environment.js";
export * from "./errors.js";
export { EventRun, type EventState } from "./event-run.js";
export {
  Execution,
  type ExecutionRef,
  type LogOptions,
  type State,
  type WaitOptions,
} from "./execution.js";
export { Gateway, type GatewayOptions, type ListOptions, type LogAccess } from "./gateway.js";
export type * from "./generated/types.js";
export * as validators from "./generated/validators.js";
export { KeyRing } from "./keys.js";
export { eventWorkflowId, graphWorkflowId, namedBy, newExecutionId, type Named } from "./names.js";
export { type ScheduleState, Schedules } from "./schedules.js";
export { getCronium } from "./singleton.js";
export { LogStream, type LogStreamOptions } from "./stream.js";
export * from "./stored/index.js";
export type { TraceCarrier } from "./tracing.js";
export { mintToken, type Scope, type Token } from "./tokens.js";
export { check, problemsOf } from "./validation.js";
export { type RerunOptions, type Said, WorkflowRun, type WorkflowState } from "./workflow-run.js";
