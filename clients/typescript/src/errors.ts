/** All errors: those of the executor, by their words, and those of this client. */

import { CroniumError, type Defaults, type ErrorOptions } from "./error.js";
import { ERRORS, RequestRefused } from "./generated/errors.js";

export { CroniumError, isCroniumError } from "./error.js";
export type { Defaults, ErrorOptions } from "./error.js";
export * from "./generated/errors.js";

/** One thing that is wrong with a request. */
export interface Problem {
  /** Where, as on the wire: `event.env[3].name`; "" is the whole request. */
  path: string;
  /** What is wrong and what was expected; never the value. */
  message: string;
}

/** The request does not fit the contract; nothing was started, or the run failed at once. */
export class PayloadValidationError extends RequestRefused {
  static override readonly defaults: Defaults = {
    type: "PayloadValidationError",
    says: "The request does not fit the contract.",
    hint: "Correct the fields that are named.",
    retryable: false,
  };

  /** Everything that is wrong, in the order of the fields. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options: ErrorOptions = {}) {
    super(sentence(problems), options);
    this.problems = problems;
  }

  /** The path of the first problem. */
  get path(): string {
    return this.problems[0]?.path ?? "";
  }

  override toJSON(): ReturnType<CroniumError["toJSON"]> & { problems: readonly Problem[] } {
    return { ...super.toJSON(), problems: this.problems };
  }
}

/** What was said to a run does not fit where it stands: it may wait for nobody's yes. */
export class OrderRefused extends RequestRefused {
  static override readonly defaults: Defaults = {
    type: "OrderRefused",
    says: "What was said to the run does not fit where it stands.",
    hint: "Look at its status: it may have gone on.",
    retryable: false,
  };
}

/** The Temporal server does not answer. */
export class TemporalUnavailable extends CroniumError {
  static override readonly defaults: Defaults = {
    type: "TemporalUnavailable",
    says: "The Temporal server does not answer.",
    hint: "Start a local stack with `cronium dev`, or set TEMPORAL_ADDRESS.",
    retryable: true,
  };
}

/** The gateway does not answer, or not as a gateway does. */
export class GatewayUnavailable extends CroniumError {
  static override readonly defaults: Defaults = {
    type: "GatewayUnavailable",
    says: "The gateway does not answer.",
    hint: "Check that it runs and that CRONIUM_GATEWAY_URL leads to it.",
    retryable: true,
  };
}

/** The execution ended without a result. */
export class ExecutionFailed extends CroniumError {
  static override readonly defaults: Defaults = {
    type: "ExecutionFailed",
    says: "The execution ended without a result.",
    hint: "Look at it in Temporal's web UI.",
    retryable: false,
  };
}

/** A setting that is needed is missing or cannot be used. */
export class SettingInvalid extends CroniumError {
  static override readonly defaults: Defaults = {
    type: "SettingInvalid",
    says: "A setting is missing or cannot be used.",
    hint: "",
    retryable: false,
  };
}

const OURS = {
  OrderRefused,
  TemporalUnavailable,
  GatewayUnavailable,
  ExecutionFailed,
  SettingInvalid,
};

/**
 * An error of the class that a word stands for.
 *
 * A word that this version does not know gives a `CroniumError` with that `type`.
 */
export function errorOf(type: string, message: string, options: ErrorOptions = {}): CroniumError {
  const known: Record<string, new (m: string, o?: ErrorOptions) => CroniumError> = {
    ...ERRORS,
    ...OURS,
  };
  const kind = Object.hasOwn(known, type) ? known[type] : undefined;
  return kind ? new kind(message, options) : new CroniumError(message, { ...options, type });
}

function sentence(problems: readonly Problem[]): string {
  return problems
    .map(({ path, message }) => (path ? `${path}: ${message}` : message))
    .join("; ");
}
