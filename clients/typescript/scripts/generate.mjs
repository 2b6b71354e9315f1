// Makes src/generated/*.ts from contracts.json: `npm run generate [DIRECTORY]`.
//
// Types come from json-schema-to-typescript. The validators are zod schemas written out
// here, since no library turns schemas that refer to each other in circles into zod.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";
import { validators } from "./validators.mjs";

const HOME = fileURLToPath(new URL("..", import.meta.url));
const BANNER = "// Made by `npm run generate` from contracts.json: do not edit.\n\n";

/** Types of everything in the contract. */
async function types({ schema }) {
  const names = Object.keys(schema.$defs);
  // An answer may get fields in a later version: only requests are closed.
  const root = {
    $defs: Object.fromEntries(
      names.map((name) => [name, forLibrary(schema.$defs[name])]),
    ),
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, { $ref: `#/$defs/${name}` }])),
    additionalProperties: false,
  };
  const text = await compile(root, "All", {
    bannerComment: "",
    format: true,
    strictIndexSignatures: true,
    // Arrays of 1 to 50 things as tuples would be unreadable, and 50 types long.
    ignoreMinAndMaxItems: true,
    style: { printWidth: 100 },
  });
  // A remark of the library on the schema, which says nothing about the values.
  const remark = /\n *\/\*\*\n *\* This interface was referenced by [^]*?\*\//g;
  return text.replace(remark, "").replace(/export interface All \{[^]*?\n\}\n/, "").trimStart();
}

const SHAPES = ["anyOf", "const", "enum", "oneOf", "type"];

/**
 * The schema as the library understands it: with a default beside it, a reference would
 * become a copy under another name; without a shape, a value would become an object.
 */
function forLibrary(node, isField = false) {
  if (Array.isArray(node)) return node.map((inner) => forLibrary(inner));
  if (node === null || typeof node !== "object") return node;
  const { description } = node;
  if (typeof node.$ref === "string") return { tsType: node.$ref.split("/").at(-1), description };
  if (isField && !SHAPES.some((shape) => shape in node)) return { tsType: "unknown", description };
  const entries = Object.entries(node).map(([key, value]) => [
    key,
    key === "properties"
      ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, forLibrary(v, true)]))
      : forLibrary(value),
  ]);
  return Object.fromEntries(entries);
}

/** One class per error of the executor, and the map from its word to the class. */
function errors({ errors: tree }) {
  const classes = tree.map(
    ({ type, parent, says, hint, retryable }) =>
      `/** ${says} */\nexport class ${type} extends ${parent} {\n` +
      `  static override readonly defaults: Defaults = ${JSON.stringify({
        type,
        says,
        hint,
        retryable,
      })};\n}\n`,
  );
  const rows = tree.map(({ type }) => `  ${type},`).join("\n");
  return (
    `import { CroniumError, type Defaults } from "../error.js";\n\n${classes.join("\n")}\n` +
    `/** By the word that is on the wire. */\nexport const ERRORS = {\n${rows}\n} as const;\n`
  );
}

function names({ names: known }) {
  const lines = Object.entries(known).map(
    ([name, value]) => `export const ${name} = ${JSON.stringify(value)};`,
  );
  return `${lines.join("\n")}\n`;
}

const contracts = JSON.parse(await readFile(join(HOME, "contracts.json"), "utf8"));
const target = process.argv[2] ?? join(HOME, "src", "generated");
await mkdir(target, { recursive: true });
for (const [file, text] of [
  ["types.ts", await types(contracts)],
  ["validators.ts", validators(contracts)],
  ["errors.ts", errors(contracts)],
  ["names.ts", names(contracts)],
])
  await writeFile(join(target, file), BANNER + text);
