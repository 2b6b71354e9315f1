/** From a message's Handlebars to the Jinja2 of the executor, as far as words go. */

import type { Mapping } from "./mapping.js";

// What the app calls things, and what the executor calls them.
const NAMES: Record<string, string> = {
  "cronium.event.id": "event.id",
  "cronium.event.name": "event.name",
  "cronium.event.status": "status",
  "cronium.event.duration": "duration",
  "cronium.event.executionTime": "executionTime",
  "cronium.event.server": "targets[0].target",
  "cronium.event.output": "output",
  "cronium.event.error": "error.message",
  "cronium.getCondition": "condition",
};
const TREES: [string, string][] = [
  ["cronium.input", "input"],
  ["cronium.getVariables", "variables"],
];
const EXPRESSION = /\{\{\{?\s*([^{}]*?)\s*\}?\}\}/g;
const PATH = /^[A-Za-z_][\w.]*$/;

export function templateOf(stored: string, path: string, mapping: Mapping): string {
  return stored.replace(EXPRESSION, (whole, inner: string) => {
    const name = nameOf(inner);
    if (name) return `{{ ${name} }}`;
    mapping.note(path, `\`${whole}\` is not a word that can be translated: write it in Jinja2`);
    return `{% raw %}${whole}{% endraw %}`;
  });
}

function nameOf(inner: string): string | undefined {
  const known = NAMES[inner];
  if (known) return known;
  if (!PATH.test(inner)) return undefined;
  for (const [from, to] of TREES)
    if (inner === from || inner.startsWith(`${from}.`)) return to + inner.slice(from.length);
  return undefined;
}
