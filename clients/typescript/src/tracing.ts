/** Takes the caller's trace along to the workers, which go on with it. */

import type { DataConverter, WorkflowClientInterceptor } from "@temporalio/client";
import { type Payload, defaultPayloadConverter } from "@temporalio/common";

/** Headers of W3C Trace Context: `traceparent`, and `tracestate` if there is one. */
export type TraceCarrier = Record<string, string>;

// The header that the tracing interceptors of Temporal's SDKs share.
const HEADER = "_tracer-data";

/** Adds the trace to each workflow that is started; as sealed as all that is sent. */
export function tracing(
  carrier: () => TraceCarrier,
  converter: DataConverter | undefined,
): WorkflowClientInterceptor {
  return {
    async start(input, next) {
      const found = carrier();
      if (!found["traceparent"]) return next(input);
      let payloads: Payload[] = [defaultPayloadConverter.toPayload(found)];
      for (const codec of converter?.payloadCodecs ?? []) payloads = await codec.encode(payloads);
      return next({ ...input, headers: { ...input.headers, [HEADER]: payloads[0]! } });
    },
  };
}
