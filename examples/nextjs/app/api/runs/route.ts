import type { EventSpec } from "@cronium/client";
import { answer, bodyOf } from "@/lib/answers";
import { cronium } from "@/lib/cronium";
import { knownServers } from "@/lib/servers";
import { currentUser } from "@/lib/user";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

interface Order {
  /** Made by the page once per form: a double click starts one run. */
  executionId: string;
  event: EventSpec;
  input?: unknown;
  /** Names of servers; none is a container. */
  servers?: string[];
}

/** Starts a run and answers at once; the page follows it by itself. */
export async function POST(request: Request) {
  return answer(async () => {
    const { event, servers = [], ...rest } = await bodyOf<Order>(request);
    const chosen = knownServers().filter(({ name }) => servers.includes(name));
    const run = await cronium().runEvent(chosen.length ? { ...event, targets: chosen } : event, {
      ...rest,
      user: await currentUser(),
    });
    return { executionId: run.executionId };
  }, 202);
}

/** The user's newest runs. */
export async function GET() {
  return answer(async () => cronium().list({ user: await currentUser(), limit: 20 }));
}
