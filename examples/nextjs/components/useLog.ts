"use client";

import { type LogLine, LogStream, type Status } from "@cronium/client/browser";
import { useEffect, useState } from "react";
import { logAccess } from "@/lib/api";

// A page with more rows than this becomes slow; the log itself is kept by the gateway.
const MOST_LINES = 5_000;

export interface Log {
  lines: LogLine[];
  /** Lines that came before those shown. */
  earlier: number;
  status: Status | undefined;
  connected: boolean;
  /** Every line was received. */
  complete: boolean;
  trouble: string;
}

const EMPTY: Log = {
  lines: [],
  earlier: 0,
  status: undefined,
  connected: false,
  complete: false,
  trouble: "",
};

/** Follows the log of a run, from its first line on, for as long as the page is there. */
export function useLog(executionId: string): Log {
  const [log, setLog] = useState(EMPTY);
  useEffect(() => {
    const leaving = new AbortController();
    const change = (part: Partial<Log>) =>
      leaving.signal.aborted || setLog((before) => ({ ...before, ...part }));
    setLog(EMPTY);
    follow(executionId, leaving.signal, change, (lines) => setLog((log) => more(log, lines))).catch(
      (error: Error) => change({ trouble: error.message }),
    );
    return () => leaving.abort();
  }, [executionId]);
  return log;
}

async function follow(
  executionId: string,
  signal: AbortSignal,
  change: (part: Partial<Log>) => void,
  add: (lines: LogLine[]) => void,
): Promise<void> {
  const { url } = await logAccess(executionId);
  const stream = new LogStream({
    url,
    executionId,
    signal,
    token: async () => (await logAccess(executionId)).token,
    onStatus: (status) => change({ status }),
    onConnection: (connected) => change({ connected }),
  });
  for await (const lines of stream.batches()) {
    if (signal.aborted) return;
    add(lines);
  }
  if (stream.end) change({ complete: stream.end.complete });
}

function more(log: Log, lines: LogLine[]): Log {
  const all = [...log.lines, ...lines];
  const left = Math.max(0, all.length - MOST_LINES);
  return { ...log, lines: all.slice(left), earlier: log.earlier + left };
}
