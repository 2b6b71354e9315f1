/** The connection to Temporal: made when it is first used, and kept. */

import { Client, Connection, type ConnectionOptions, type DataConverter } from "@temporalio/client";

/** Where Temporal is. */
export interface TemporalOptions {
  /** `host:port`; unset: `localhost:7233`. */
  address?: string;
  namespace?: string;
  /** For Temporal Cloud and clusters that ask for one; switches TLS on. */
  apiKey?: string;
  /** TLS with the usual authorities (true), or certificates of your own. */
  tls?: ConnectionOptions["tls"];
  /** Headers of every call. */
  metadata?: ConnectionOptions["metadata"];
}

/** Returns a client that connects at its first call; nothing is sent before. */
export function temporalClient(options: TemporalOptions, dataConverter?: DataConverter): Client {
  const { address, namespace, ...rest } = options;
  const connection = Connection.lazy({ address: address ?? "localhost:7233", ...rest });
  return new Client({
    connection,
    ...(namespace ? { namespace } : {}),
    ...(dataConverter ? { dataConverter } : {}),
  });
}
