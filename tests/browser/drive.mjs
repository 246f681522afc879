// Drives Chromium through the scenarios and writes what each came to:
//   node tests/browser/drive.mjs PACKAGES_ZIP RESULTS_JSON
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./chromium.mjs";
import { scenarios } from "./scenarios.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(path.dirname(here));
const [archive, output] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

const server = http.createServer((request, response) => {
  const name = request.url.split("?")[0];
  const file =
    name === "/" ? path.join(here, "index.html")
    : name === "/packages.zip" ? archive
    : name.startsWith("/pyodide/") ? path.join(root, "node_modules", "pyodide", path.basename(name))
    : path.join(here, path.basename(name));
  fs.readFile(file, (error, content) => {
    response.writeHead(error ? 404 : 200, { "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream" });
    response.end(error ? undefined : content);
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const results = {};
const browser = await launch();
results.version = browser.version();

class Tab {
  static async open(context) {
    const tab = new Tab();
    tab.page = await context.newPage();
    await tab.reload();
    return tab;
  }
  async reload() {
    await this.page.goto(origin);
    await this.page.waitForFunction(() => globalThis.start);
    await this.restart();
  }
  restart = () => this.page.evaluate(() => start());
  run = (code) => this.page.evaluate((text) => run(text), code);
  begin = (code) => this.page.evaluate((text) => begin(text), code);
  signalled = (text) => this.page.evaluate((wanted) => signalled(wanted), text);
  kill = () => this.page.evaluate(() => kill());
}

const one = async (name, work) => {
  const started = Date.now();
  const context = await browser.newContext(); // a profile of its own: IndexedDB and private files are empty
  try {
    const value = await work(context, Tab);
    results[name] = { value, seconds: (Date.now() - started) / 1000 };
  } catch (error) {
    results[name] = { error: String(error.stack ?? error), seconds: (Date.now() - started) / 1000 };
  } finally {
    await context.close();
  }
};

try {
  const waiting = Object.entries(scenarios);
  // Two at a time: each is mostly a worker that boots.
  await Promise.all([1, 2].map(async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await one(...next);
  }));
} finally {
  fs.writeFileSync(output, JSON.stringify(results, null, 1));
  await browser.close();
  server.close();
}
