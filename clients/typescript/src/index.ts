/** Everything for servers; `@cronium/client/browser` has what pages may use. */

export { Cronium, type CroniumOptions, type RunOptions } from "./client.js";
export type { TemporalOptions } from "./connection.js";
export { localStack, optionsFromEnvironment } from "./environment.js";
export * from "./errors.js";
export {
  Execution,
  type ExecutionRef,
  type ExecutionState,
  type LogOptions,
  type WaitOptions,
} from "./execution.js";
export { Gateway, type GatewayOptions, type ListOptions, type LogAccess } from "./gateway.js";
export type * from "./generated/types.js";
export * as validators from "./generated/validators.js";
export { eventWorkflowId, namedBy, newExecutionId, type Named } from "./names.js";
export { getCronium } from "./singleton.js";
export { LogStream, type LogStreamOptions } from "./stream.js";
export * from "./stored/index.js";
export { mintToken, type Scope, type Token } from "./tokens.js";
export { check, problemsOf } from "./validation.js";
