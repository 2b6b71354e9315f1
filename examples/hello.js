// Prints a few lines with pauses, so that you can watch them arrive.
const { readFileSync } = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");

async function main() {
  const input = JSON.parse(readFileSync("/run/cronium/input.json", "utf8")) ?? {};
  console.log(`Hello, ${input.name ?? "world"}, from Node.js ${process.version}`);
  for (let step = 1; step <= 3; step += 1) {
    await sleep(400);
    console.log(`step ${step} of 3`);
  }
  console.error("this line goes to stderr");
  console.log("done");
}

main();
