/** What pages may use: no Temporal, no Node.js. */

export * from "./errors.js";
export type { LogAccess } from "./gateway.js";
export type * from "./generated/types.js";
export * as validators from "./generated/validators.js";
export { LogStream, type LogStreamOptions } from "./stream.js";
export { check, problemsOf } from "./validation.js";
