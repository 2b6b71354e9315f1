// Everything a script usually says to the executor, in Node.js. No require is needed:
// the global's calls return plain values. `require("cronium")` gives the same calls as
// promises, which may be awaited.
const { input, sleep } = require("cronium");

async function main() {
  const { items } = (await input()) ?? { items: ["tea", "cup", "spoon"] };

  cronium.log("info", "order received", { items: items.length });
  for (const [index, item] of items.entries()) {
    await sleep(0.2);
    console.log(`packing ${item}`);
    cronium.progress((index + 1) / items.length, `${index + 1} of ${items.length}`);
  }

  // Variables outlive the run and belong to the user. Adding is one step, so runs side
  // by side do not lose a count.
  const total = cronium.incrementVariable("PACKED_TOTAL", items.length);
  cronium.setVariable("LAST_ORDER", { items, by: cronium.event().name });
  if (cronium.getVariable("NEVER_SET") === null) {
    console.log("a variable that is not set is null, and no error");
  }

  // The output is the next event's input; the condition decides whether it is started
  // (`when: on_condition`).
  cronium.setCondition(items.length > 2);
  cronium.output({ packed: items.length, total });
}

main();
