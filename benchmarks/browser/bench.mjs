// Measures in Chromium what one tab costs: node benchmarks/browser/bench.mjs PLAYGROUND_FOLDER RESULTS_JSON REPEAT
// Each case gets a profile of its own, and with it empty stores and caches.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "../../scripts/browser/chromium.mjs";
import { serve } from "../../scripts/browser/server.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const [folder, output, repeat] = process.argv.slice(2);
const text = fs.readFileSync(path.join(here, "inside.py"), "utf8");
const { origin, close } = await serve(folder);
const browser = await launch();

const CASES = {
  idbfs: ["imports(False)", 'await ours("idbfs")'],
  opfs: ["imports(False)", 'await ours("opfs")'],
  plain: ["imports(True)", "await plain()"],
};

const measure = async (steps) => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${origin}/sizes.json`); // a page of this origin without a worker
    const boot = await page.evaluate(async () => {
      const { Client } = await import("/client.js");
      const started = performance.now();
      globalThis.client = new Client();
      const ready = new Promise((resolve) =>
        client.addEventListener("progress", ({ detail }) => detail.stage === "ready" && resolve()));
      client.start();
      await ready;
      return performance.now() - started;
    });
    const run = (code, values) => page.evaluate(([code, values]) => client.run(code, values), [code, values]);
    await run("open('/packages/tests_bench.py', 'w').write(text)", { text });
    const found = { boot };
    for (const step of steps) {
      const answer = await run(`import json\nfrom tests_bench import *\njson.dumps(${step})`);
      Object.assign(found, JSON.parse(answer));
    }
    return found;
  } finally {
    await context.close();
  }
};

const results = Object.fromEntries(Object.keys(CASES).map((name) => [name, []]));
for (let round = 0; round < Number(repeat); round++) {
  for (const [name, steps] of Object.entries(CASES)) results[name].push(await measure(steps));
}
fs.writeFileSync(output, JSON.stringify({ version: browser.version(), results }));
await browser.close();
close();
