/** The connection to Temporal: made when it is first used, and kept. */

import { Client, Connection, type ConnectionOptions, type DataConverter } from "@temporalio/client";
import { toCroniumError } from "./failures.js";
import { type TraceCarrier, tracing } from "./tracing.js";

/** Where Temporal is. */
export interface TemporalOptions {
  /** `host:port`; unset: `localhost:7233`. */
  address?: string;
  namespace?: string;
  /** For Temporal Cloud and clusters that ask for one; switches TLS on. */
  apiKey?: string;
  /** TLS with the usual authorities (true), or certificates of your own. */
  tls?: ConnectionOptions["tls"];
  /** How long one call may take, connecting and trying again included; unset: 10. */
  callSeconds?: number;
  /** Headers of every call. */
  metadata?: ConnectionOptions["metadata"];
}

/** Temporal's client, with calls that end in time and throw errors of this package. */
export class Temporal {
  readonly client: Client;
  readonly #callMs: number;

  /** Nothing is sent before the first call. */
  constructor(
    options: TemporalOptions,
    dataConverter?: DataConverter,
    trace?: () => TraceCarrier,
  ) {
    const { address, namespace, callSeconds, ...rest } = options;
    const connection = Connection.lazy({ address: address ?? "localhost:7233", ...rest });
    this.#callMs = (callSeconds ?? 10) * 1000;
    this.client = new Client({
      connection,
      ...(namespace ? { namespace } : {}),
      ...(dataConverter ? { dataConverter } : {}),
      ...(trace ? { interceptors: { workflow: [tracing(trace, dataConverter)] } } : {}),
    });
  }

  /** Makes one call, which may be tried again as long as there is time. */
  async call<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      const deadline = Date.now() + this.#callMs;
      return await this.client.withDeadline(deadline, () => work(this.client));
    } catch (error) {
      throw toCroniumError(error);
    }
  }
}
