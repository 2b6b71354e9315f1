// What the tests with a real stack share: a client, a proxy that cuts connections.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { Cronium, optionsFromEnvironment } from "@cronium/client";

/** A client of the stack in CRONIUM_STATE_DIR. */
export function newClient(changes = {}) {
  if (!process.env.CRONIUM_STATE_DIR) throw new Error("set CRONIUM_STATE_DIR to a local stack's");
  return new Cronium({ ...optionsFromEnvironment(), ...changes });
}

/** A Bash event under small limits and without a network. */
export function bash(script, more = {}) {
  const resources = { memoryMb: 128, cpus: 1, pids: 50 };
  return { id: "ts", name: "From TypeScript", type: "bash", script, network: "none", resources, ...more };
}

export async function linesOf(stream) {
  const lines = [];
  for await (const line of stream) lines.push(line);
  return lines;
}

/** What scripts wrote, without the executor's own notices. */
export const written = (lines) =>
  lines.filter(({ stream }) => stream !== "system").map(({ text }) => text);

/** A proxy before a server, whose `cut` ends all connections at once. */
export async function proxy(target) {
  const { hostname, port } = new URL(target);
  const open = new Set();
  let count = 0;
  const server = createServer((near) => {
    count += 1;
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    get connections() {
      return count;
    },
    cut() {
      for (const socket of open) socket.destroy();
    },
    async close() {
      this.cut();
      server.close();
      await once(server, "close");
    },
  };
}
