// Drives Chromium through the scenarios, on the playground's own page, and writes what each came to:
//   node tests/browser/drive.mjs PLAYGROUND_FOLDER RESULTS_JSON
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "../../scripts/browser/chromium.mjs";
import { serve } from "../../scripts/browser/server.mjs";
import { scenarios as failures } from "./failures.mjs";
import { scenarios as page } from "./page.mjs";
import { scenarios as stores } from "./stores.mjs";
import { LIMIT, awaited, until, within } from "./waiting.mjs";

const [folder, output] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));
const MODULES = ["inside", "inside_failures"];
const { origin, close } = await serve(folder);
const results = {};
const SCENARIO_LIMIT = 2 * LIMIT; // milliseconds: no single wait takes longer than LIMIT
const browser = await within("Chromium to start", launch());
results.version = browser.version();

// A tab with the playground, which runs Python of the tests in its worker.
class Tab {
  // Without the snapshot, which has all modules in it: as in a page of somebody else's.
  static async bare(context) {
    await context.route("**/snapshot.bin.gz", (route) => route.fulfill({ status: 200, body: "no snapshot" }));
    return Tab.open(context);
  }
  static async open(context) {
    const tab = new Tab();
    tab.page = await within("a new page", context.newPage());
    tab.seen = () => tab.page.evaluate(() => ({
      stage: document.querySelector("#stage")?.textContent,
      problem: document.querySelector("#problem")?.textContent,
      told: globalThis.told,
    }));
    await tab.reload();
    return tab;
  }
  async reload() {
    await within("the playground to load", this.page.goto(`${origin}/?example=sqlalchemy`));
    await until("the playground's client", () => this.page.evaluate(() => Boolean(globalThis.client)));
    await this.page.evaluate(() => {
      globalThis.told = [];
      client.addEventListener("told", ({ detail }) => told.push(detail));
    });
    await this.prepare();
  }
  async restart() {
    await this.page.evaluate(() => client.start());
    await this.prepare();
  }
  async prepare() {
    const folder = "/packages/tests/browser";
    await this.run(`import os; os.makedirs("${folder}", exist_ok=True)`);
    for (const name of MODULES) {
      const text = fs.readFileSync(path.join(here, `${name}.py`), "utf8");
      await this.run("open(file, 'w').write(text)", { file: `${folder}/${name}.py`, text });
    }
    await this.run(MODULES.map((name) => `from tests.browser.${name} import *`).join("\n"));
  }
  run = (code, values) => within(`the worker to run ${code}`,
    this.page.evaluate(([text, given]) => client.run(text, given), [code, values]), { seen: this.seen });
  begin = (code) => this.page.evaluate((text) => void client.run(text).catch(() => undefined), code);
  told = (text) => until(`the worker to tell "${text}"`, () => this.page.evaluate(() => told),
    (seen) => seen.includes(text), { every: 5 });
  kill = () => this.page.evaluate(() => { client.kill(); told.length = 0; });
}

const one = async (name, work) => {
  const started = Date.now();
  let context;
  try {
    // A profile of its own: IndexedDB and private files are empty.
    context = await within("a new context", browser.newContext());
    context.setDefaultTimeout(LIMIT); // of what Playwright waits for by itself
    const scenario = work(context, Tab, origin);
    const value = await within(`the scenario ${name}`, scenario, { limit: SCENARIO_LIMIT, seen: () => `waits for ${awaited()}` });
    results[name] = { value, seconds: (Date.now() - started) / 1000 };
  } catch (error) {
    results[name] = { error: String(error.stack ?? error), seconds: (Date.now() - started) / 1000 };
  } finally {
    fs.writeFileSync(output, JSON.stringify(results, null, 1)); // each at once: a run that is cut short still tells
    if (context) await within("the context to close", context.close()).catch((error) => console.error(error.message));
  }
};

try {
  const wanted = process.env.SCENARIOS?.split(",");
  const left = (process.env.LEFT_OUT ?? "").split(",");
  const waiting = Object.entries({ ...stores, ...failures, ...page })
    .filter(([name]) => (wanted ? wanted.includes(name) : !left.includes(name)));
  // Two at a time: each is mostly a worker that boots.
  await Promise.all([1, 2].map(async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await one(...next);
  }));
} finally {
  await within("Chromium to end", browser.close());
  close();
}
