/** The workflow of this example: an app would keep its own in its database. */

import type { GraphSpec } from "@cronium/client/browser";

type Node = Extract<GraphSpec["nodes"], unknown[]>[number];

export interface Drawn {
  id: string;
  /** Ids of the nodes before it. */
  after: string[];
}

const limits = { memoryMb: 128, cpus: 0.5, pids: 50 };

function step(id: string, after: string[], script: string): Node {
  return {
    id,
    after: after.map((node) => ({ node })),
    event: { id, name: id, type: "bash", network: "none", resources: limits, script },
  };
}

const wait = "sleep 1";
const nodes: Node[] = [
  step("build", [], `echo compiling; ${wait}; cronium_output '{"version": "1.4.0"}'`),
  step("unit", ["build"], `printf '\\e[32m212 passed\\e[0m\\n'; ${wait}`),
  step("browser", ["build"], `printf '\\e[32m38 passed\\e[0m\\n'; ${wait}`),
  step("lint", ["build"], `echo no complaints; ${wait}`),
  {
    id: "release",
    kind: "approval",
    message: "Release it?",
    after: ["unit", "browser", "lint"].map((node) => ({ node })),
  },
  step("deploy", ["release"], `echo deployed; ${wait}`),
  { ...step("tell", [], "echo told the team"), after: [{ node: "deploy", when: "always" }] },
];

export const WORKFLOW: GraphSpec = { id: "nextjs-release", name: "Release", nodes };

/** What there is to draw. */
export const DRAWN: Drawn[] = nodes.map(({ id, after }) => ({
  id,
  after: (after as { node: string }[]).map(({ node }) => node),
}));
