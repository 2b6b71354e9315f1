// Writes JSON Schema, as pydantic makes it, out as zod. What pydantic does not use is not
// handled, and stops the generator instead of being left out.

const KNOWN = new Set([
  "$ref", "additionalProperties", "anyOf", "const", "default", "description",
  "discriminator", "enum", "exclusiveMinimum", "format", "items", "maxItems", "maxLength",
  "maximum", "maxProperties", "minItems", "minLength", "minimum", "oneOf", "pattern",
  "patternProperties", "properties", "propertyNames", "required", "type",
]);

/** The source of a module with one validator per definition that requests consist of. */
export function validators({ schema, requests }) {
  const written = new Set();
  const body = inOrder(schema.$defs, requests).map((name) => {
    const source = expression(schema.$defs[name], written);
    written.add(name);
    return `export const ${name}: z.ZodType<types.${name}> = ${source};\n`;
  });
  return (
    'import { z } from "zod";\n' +
    'import { array, json, record, tagged, text } from "../schema.js";\n' +
    'import type * as types from "./types.js";\n\n' +
    body.join("\n")
  );
}

/** What something refers to comes before it, except in a circle. */
function inOrder(definitions, wanted) {
  const order = [];
  const seen = new Set();
  const visit = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    references(definitions[name]).forEach(visit);
    order.push(name);
  };
  wanted.forEach(visit);
  return order;
}

function references(node) {
  if (Array.isArray(node)) return node.flatMap(references);
  if (node === null || typeof node !== "object") return [];
  const own = typeof node.$ref === "string" ? [nameOf(node.$ref)] : [];
  return [...own, ...Object.values(node).flatMap(references)];
}

const nameOf = (reference) => reference.split("/").at(-1);
const quoted = (value) => JSON.stringify(value);

function expression(node, written) {
  for (const key of Object.keys(node))
    if (!KNOWN.has(key)) throw new Error(`the generator does not know \`${key}\``);
  if (node.$ref) {
    const name = nameOf(node.$ref);
    return written.has(name) ? name : `z.lazy(() => ${name})`;
  }
  if ("const" in node) return `z.literal(${quoted(node.const)})`;
  if (node.enum) return `z.enum(${quoted(node.enum)})`;
  if (node.discriminator) return union(node, written);
  if (node.anyOf || node.oneOf) return alternatives(node.anyOf ?? node.oneOf, written);
  switch (node.type) {
    case "string":
      return string(node);
    case "integer":
      return `z.int()${bounds(node)}`;
    case "number":
      return `z.number()${bounds(node)}`;
    case "boolean":
      return "z.boolean()";
    case "array":
      return list(node, written);
    case "object":
      return object(node, written);
    case undefined:
      return "json()";
    default:
      throw new Error(`the generator does not know the type \`${node.type}\``);
  }
}

function string({ minLength, maxLength, pattern }) {
  const rules = { min: minLength, max: maxLength, pattern };
  const given = Object.entries(rules).filter(([, value]) => value !== undefined);
  return `text(${given.length ? quoted(Object.fromEntries(given)) : ""})`;
}

function bounds({ minimum, maximum, exclusiveMinimum }) {
  return [
    minimum === undefined ? "" : `.min(${minimum})`,
    exclusiveMinimum === undefined ? "" : `.gt(${exclusiveMinimum})`,
    maximum === undefined ? "" : `.max(${maximum})`,
  ].join("");
}

function list({ items, minItems, maxItems }, written) {
  const limits = [minItems ?? 0, maxItems].filter((limit) => limit !== undefined);
  return `array(${expression(items, written)}, ${limits.join(", ")})`;
}

function object(node, written) {
  const { properties } = node;
  if (!properties) return map(node, written);
  const required = new Set(node.required);
  const fields = Object.entries(properties).map(
    ([name, value]) =>
      `  ${name}: ${expression(value, written)}${required.has(name) ? "" : ".optional()"},\n`,
  );
  return `z.strictObject({\n${fields.join("")}})`;
}

function map(node, written) {
  const { additionalProperties, patternProperties, maxProperties, propertyNames = {} } = node;
  const [pattern, inner] = Object.entries(patternProperties ?? {})[0] ?? [];
  const value = inner ?? additionalProperties;
  const rules = pattern === undefined ? propertyNames : { ...propertyNames, pattern };
  const parts = [string(rules), value === true ? "json()" : expression(value, written)];
  return `record(${[...parts, ...(maxProperties ? [maxProperties] : [])].join(", ")})`;
}

function union({ discriminator, oneOf }, written) {
  const members = Object.entries(discriminator.mapping).map(
    ([tag, reference]) => `${quoted(tag)}: () => ${nameOf(reference)}`,
  );
  if (members.length !== oneOf.length) throw new Error("a union has a tag twice");
  const kinds = Object.values(discriminator.mapping).map((name) => `types.${nameOf(name)}`);
  const type = kinds.join(" | ");
  const { propertyName, fallback } = discriminator;
  const rest = fallback === undefined ? "" : `, ${quoted(fallback)}`;
  return `tagged<${type}>(${quoted(propertyName)}, { ${members.join(", ")} }${rest})`;
}

function alternatives(options, written) {
  const others = options.filter((option) => option.type !== "null");
  const sources = others.map((option) => expression(option, written));
  const source = sources.length === 1 ? sources[0] : `z.union([${sources.join(", ")}])`;
  return others.length === options.length ? source : `${source}.nullable()`;
}
