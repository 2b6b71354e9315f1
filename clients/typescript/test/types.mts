// Read by the compiler alone: what must be typed, and what must be refused.
import {
  type EventSpec,
  type ExecutionResult,
  type LogLine,
  type Status,
  Cronium,
  validators,
} from "@cronium/client";

const event: EventSpec = {
  id: "e",
  name: "E",
  type: "bash",
  script: "true",
  fanOut: { forks: "25%", serial: [1, "20%"] },
  actions: [
    { kind: "event", event: { id: "n", name: "N", type: "python", script: "pass" } },
    { kind: "message", targets: [{ secret: "CHAT" }], body: "{{ status }}" },
  ],
};

export async function use(cronium: Cronium): Promise<void> {
  const run = await cronium.runEvent(event, { input: { any: ["thing"] }, user: "ada" });
  for await (const line of run.logs({ fromSeq: 1 })) {
    const { seq, stream, text }: LogLine = line;
    console.log(seq.toFixed(), stream satisfies "stdout" | "stderr" | "system" | "log", text);
  }
  const result: ExecutionResult = await run.result();
  const status: Status = result.status;
  if (status === "PARTIAL") console.log(result.counts?.failed.toFixed());
  const parsed: EventSpec = validators.EventSpec.parse(event);
  console.log(parsed.id, result.output satisfies unknown);
}

export const wrong = [
  // @ts-expect-error an unknown type of event
  { id: "e", name: "E", type: "perl" } satisfies EventSpec,
  // @ts-expect-error a misspelt field
  { id: "e", name: "E", type: "bash", timeoutSecond: 1 } satisfies EventSpec,
  // @ts-expect-error a name is missing
  { id: "e", type: "bash" } satisfies EventSpec,
  // @ts-expect-error a message needs a body
  { id: "e", name: "E", type: "bash", actions: [{ kind: "message", targets: [] }] } satisfies EventSpec,
  // @ts-expect-error the output may be anything
  (result: ExecutionResult): string => result.output,
  // @ts-expect-error no such status
  (status: Status) => status === "DONE",
];
