/** The root of all errors that this package throws. */

/** What a kind of error says when nobody says it better. */
export interface Defaults {
  readonly type: string;
  readonly says: string;
  readonly hint: string;
  readonly retryable: boolean;
}

/** What may be said of one error; the rest is as its kind has it. */
export interface ErrorOptions {
  type?: string;
  hint?: string;
  retryable?: boolean;
  cause?: unknown;
}

const BRAND = Symbol.for("cronium.error");

/**
 * An error of the executor or of this client.
 *
 * `type` is the word to match on; `instanceof` works too, as long as the error comes from
 * the same copy of this package.
 */
export class CroniumError extends Error {
  static readonly defaults: Defaults = {
    type: "CroniumError",
    says: "The executor could not do it.",
    hint: "",
    retryable: false,
  };

  /** The word to match on, such as `CeilingExceeded`. */
  readonly type: string;
  /** What to do about it; "" when there is nothing to do. */
  readonly hint: string;
  /** Whether the same call may succeed when it is made again unchanged. */
  readonly retryable: boolean;

  constructor(message = "", options: ErrorOptions = {}) {
    const { defaults } = new.target;
    super(message || defaults.says, options.cause === undefined ? {} : { cause: options.cause });
    this.type = options.type ?? defaults.type;
    this.name = this.type;
    this.hint = options.hint || defaults.hint;
    this.retryable = options.retryable ?? defaults.retryable;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** The error as JSON for an answer of your own API. */
  toJSON(): { type: string; message: string; hint: string; retryable: boolean } {
    return {
      type: this.type,
      message: this.message,
      hint: this.hint,
      retryable: this.retryable,
    };
  }
}

/** Whether something is a `CroniumError`, of whichever copy of this package. */
export function isCroniumError(error: unknown): error is CroniumError {
  return typeof error === "object" && error !== null && BRAND in error;
}
