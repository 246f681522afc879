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

const [folder, output] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));
const MODULES = ["inside", "inside_failures"];
const { origin, close } = await serve(folder);
const results = {};
const LIMIT = 600_000; // milliseconds for a scenario: one that hangs is told by its name
const browser = await launch();
results.version = browser.version();

// A tab with the playground, which runs Python of the tests in its worker.
class Tab {
  static async open(context) {
    const tab = new Tab();
    tab.page = await context.newPage();
    await tab.reload();
    return tab;
  }
  async reload() {
    await this.page.goto(`${origin}/?example=sqlalchemy`);
    await this.page.waitForFunction(() => globalThis.client);
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
      const values = { file: `${folder}/${name}.py`, text };
      await this.page.evaluate((given) => client.run("open(file, 'w').write(text)", given), values);
    }
    await this.run(MODULES.map((name) => `from tests.browser.${name} import *`).join("\n"));
  }
  run = (code) => this.page.evaluate((text) => client.run(text), code);
  begin = (code) => this.page.evaluate((text) => void client.run(text).catch(() => undefined), code);
  told = (text) => this.page.waitForFunction((wanted) => told.includes(wanted), text, { polling: 5 });
  kill = () => this.page.evaluate(() => { client.kill(); told.length = 0; });
}

const one = async (name, work) => {
  const started = Date.now();
  const context = await browser.newContext(); // a profile of its own: IndexedDB and private files are empty
  // A busy machine may take longer for one wait than the half minute that Playwright allows by itself.
  context.setDefaultTimeout(LIMIT);
  try {
    const late = new Promise((_, reject) => setTimeout(reject, LIMIT, new Error("It hangs.")).unref());
    const value = await Promise.race([work(context, Tab, origin), late]);
    results[name] = { value, seconds: (Date.now() - started) / 1000 };
  } catch (error) {
    results[name] = { error: String(error.stack ?? error), seconds: (Date.now() - started) / 1000 };
  } finally {
    fs.writeFileSync(output, JSON.stringify(results, null, 1)); // each at once: a run that is cut short still tells
    await context.close();
  }
};

try {
  const wanted = process.env.SCENARIOS?.split(",");
  const waiting = Object.entries({ ...stores, ...failures, ...page }).filter(([name]) => !wanted || wanted.includes(name));
  // Two at a time: each is mostly a worker that boots.
  await Promise.all([1, 2].map(async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await one(...next);
  }));
} finally {
  await browser.close();
  close();
}
