/** From the rows of the app's database to the contract. */

export { type MappedEvent, fromStoredEvent } from "./event.js";
export { type MappedJob, fromStoredJob } from "./job.js";
export type { MappingOptions, Note } from "./mapping.js";
export type * from "./rows.js";
export { type MappedWorkflow, fromStoredWorkflow } from "./workflow.js";
