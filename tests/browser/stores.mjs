// Each scenario gets a browser context of its own and returns what it saw; test_browser.py says what that must be.
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./waiting.mjs";

export const scenarios = {};

const PAUSES = [0, 20, 100]; // milliseconds between the start of a flush and the kill; whatever is found then is right
const inLine = (tab) => tab.page.evaluate(async () =>
  (await navigator.locks.query()).pending.map(({ name }) => name).filter((name) => name.startsWith("framework-m-migrations:")));

for (const kind of ["idbfs", "opfs"]) {
  scenarios[`life_${kind}`] = async (context, Tab) => {
    const tab = await Tab.open(context);
    const seen = [await tab.run(`await migrate("${kind}", "name")`)];
    await tab.run(`await insert("${kind}", "kept")`);
    await tab.reload();
    seen.push(await tab.run(`await migrate("${kind}", "name", "note")`));
    seen.push(await tab.run(`await migrate("${kind}", "name", "note")`));
    seen.push(await tab.run(`await look("${kind}")`));

    // killed within a transaction
    await tab.begin(`await stop_inside_transaction("${kind}")`);
    await tab.told("inside");
    await tab.kill();
    await tab.restart();
    seen.push(await tab.run(`await look("${kind}")`));

    // killed between commit and flush
    await tab.begin(`await stop_before_flush("${kind}")`);
    await tab.told("committed");
    await tab.kill();
    await tab.restart();
    seen.push(await tab.run(`await look("${kind}")`));
    seen.push(await tab.run(`await migrate("${kind}", "name", "note", "after")`));
    return seen;
  };

  scenarios[`tabs_${kind}`] = async (context, Tab) => {
    const [first, second] = [await Tab.open(context), await Tab.open(context)];
    await first.run(`await hold("${kind}")`);
    const seen = [await second.run(`await migrate("${kind}", "name", patience=0.3)`)];
    const waits = second.run(`await migrate("${kind}", "name")`);
    await until("the second tab to stand in line for the store", () => inLine(first), (seen) => seen.length > 0);
    await first.kill(); // a killed worker gives the store back
    seen.push(await waits);
    await first.restart();
    const both = [first, second].map((tab) => tab.run(`await migrate("${kind}", "name", "note")`));
    seen.push((await Promise.all(both)).sort());
    await first.run(`await insert("${kind}", "from the first")`);
    await second.run(`await insert("${kind}", "from the second")`);
    seen.push(await first.run(`await look("${kind}")`));
    return seen;
  };
}

scenarios.flush = async (context, Tab) => {
  const tab = await Tab.open(context);
  const seen = [await tab.run("await default_store()")];
  await tab.run('await insert("idbfs", "kept")');
  for (const pause of PAUSES) {
    await tab.begin('await stop_during_flush("idbfs")');
    await tab.told("flushing");
    await sleep(pause);
    await tab.kill();
    await tab.restart();
    const found = await tab.run('await look("idbfs")');
    seen.push(found);
    if (found[3] !== null && found[3] !== undefined) break; // the flush was quicker than the kill
  }
  return seen;
};
