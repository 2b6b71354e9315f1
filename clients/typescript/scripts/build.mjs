// Builds dist/: ES modules and CommonJS, each with its declarations.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HOME = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(HOME, "dist");
const TSC = join(HOME, "node_modules", "typescript", "bin", "tsc");
const COMMONJS = ["--module", "CommonJS", "--moduleResolution", "Node10"];

function compile(kind, options) {
  const out = join(DIST, kind);
  execFileSync(process.execPath, [TSC, "-p", HOME, "--outDir", out, ...options], {
    stdio: "inherit",
  });
  const type = kind === "esm" ? "module" : "commonjs";
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "package.json"), `${JSON.stringify({ type })}\n`);
}

rmSync(DIST, { recursive: true, force: true });
compile("esm", []);
compile("cjs", COMMONJS);
