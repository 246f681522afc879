// The playground as a person uses it.
import fs from "node:fs";
import { createRequire } from "node:module";
import { until, within } from "./waiting.mjs";

export const scenarios = {};
const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

const state = (page) => page.evaluate(() => ({
  ...document.body.dataset,
  held: !document.querySelector("#held")?.hidden,
  ...Object.fromEntries(["stage", "summary", "done", "problem"].map((id) => [id, document.querySelector(`#${id}`)?.textContent])),
}));
const quiet = (page) => until("the page to be ready and not busy", () => state(page),
  (seen) => seen.ready !== undefined && seen.busy === undefined);
const press = async (page, text) => {
  await within(`the button "${text}"`, page.getByRole("button", { name: text }).first().click(), { seen: () => state(page) });
  await quiet(page);
};
// Types at the end of the open file, as a person would; the plan follows by itself.
const type = async (page, line) => {
  const before = await page.textContent("#summary");
  await page.focus("#source");
  await page.keyboard.press("Control+End");
  await page.keyboard.type(line);
  await until(`another plan than "${before}"`, () => state(page), (seen) => seen.summary !== before);
  await quiet(page);
};
const plan = (page) => page.locator(".change").evaluateAll((all) =>
  all.map((one) => [one.querySelector(".badge").textContent, one.querySelector(".what").textContent]));
const rows = (page, table = "customer") => page.locator(`[aria-label="Table ${table}"] tbody tr`).evaluateAll((all) =>
  all.map((row) => [...row.cells].map((cell) => cell.textContent).join("|")));
const files = (page) => page.locator("#tree button.file").allTextContents();
const done = (page) => page.textContent("#done");
const problem = (page) => page.textContent("#problem");
const source = (page) => page.inputValue("#source");

// A DocType from its first required field to a rename, with revisions, a reload and a second tab.
scenarios.page_doctype = async (context, Tab, origin) => {
  const page = await context.newPage();
  const strangers = [];
  const stages = [];
  const blocked = [];
  page.on("request", (request) => new URL(request.url()).origin === origin || request.url().startsWith("data:") || strangers.push(request.url()));
  page.on("console", (message) => /Content Security Policy|snapshot is not used/.test(message.text()) && blocked.push(message.text()));
  await page.exposeFunction("stage", (text) => stages.push(text));
  await page.addInitScript(() => addEventListener("DOMContentLoaded", () =>
    new MutationObserver(() => stage(document.querySelector("#stage").textContent))
      .observe(document.querySelector("#stage"), { childList: true })));
  const patient = `${origin}/?patience=60`; // a busy machine is no endless loop
  await page.goto(patient);
  await quiet(page);
  const seen = { first: [await plan(page), await rows(page)] };

  // Step 2: the rows have no email. The revision is a file, which is edited before it is run.
  await press(page, "2. Require a field");
  seen.withheld = [await plan(page), await page.locator(".change .dialect").allTextContents()];
  seen.drawn = await page.locator("#after svg").getAttribute("aria-label");
  await press(page, "Create revision");
  seen.tree = await files(page);
  await press(page, "Run");
  seen.refused = await problem(page);
  await page.fill("#source", (await source(page)).replace(/# (op\.execute\('UPDATE "customer" SET "email" = )\.\.\./, '$1"none"'));
  await press(page, "Run");
  await until("the run to be reported", () => state(page), (one) => one.done.startsWith("run:"));
  seen.ran = [await done(page), await plan(page), await rows(page), await problem(page)];

  // A mistake is marked at its line; a second tab follows what is typed and done in the first.
  await page.locator('[data-key="shop"]').click();
  await type(page, "\nbroken(");
  seen.broken = [await problem(page), await page.locator(".line.wrong").textContent(), await page.textContent("#mistake"),
    await page.getAttribute("#source", "aria-invalid")];
  for (let key = 0; key < "\nbroken(".length; key++) await page.keyboard.press("Backspace");
  await until("the problem to go", () => state(page), (one) => !one.problem);
  const other = await context.newPage();
  await other.goto(patient);
  await quiet(other);
  seen.asked = [(await state(other)).held, await plan(other)]; // revisions are stored: they are not run unasked
  await press(other, "Run this code");
  await page.bringToFront();
  await press(page, "3. Add fields");
  await press(page, "Sync 2 safe changes");
  await press(page, "Add a row to customer");
  await other.bringToFront();
  await until("the second tab to have the row", () => rows(other), (all) => all.length === 4);
  seen.other = [await source(other), await plan(other)];
  await other.close();
  await page.bringToFront();

  // A rename is one button, and keeps the values.
  await press(page, "4. Rename a field");
  await press(page, "Rename city");
  seen.rename = await source(page);
  await press(page, "Run");
  seen.renamed = [await done(page), await plan(page), await page.locator('[aria-label="Table customer"] th').allTextContents(), await rows(page)];
  await page.reload();
  await quiet(page);
  seen.kept = [(await state(page)).held, await plan(page), await rows(page), await files(page)];
  await press(page, "Run this code");
  seen.trusted = [await plan(page), await files(page)];
  await press(page, "Roll back");
  seen.back = await page.locator('[aria-label="Table customer"] th').allTextContents();
  await press(page, "Start over");
  seen.over = [await rows(page), await plan(page), await files(page)];
  return { ...seen, strangers, blocked, stages: [...new Set(stages.map((text) => text.replace(/[\d.]+/g, "N")))] };
};

// Code that never comes back, from a link: it waits to be asked, and is stopped.
scenarios.page_endless = async (context, Tab, origin) => {
  const page = await context.newPage();
  await page.goto(`${origin}/?example=sqlalchemy`);
  await quiet(page);
  await page.evaluate(() => client.addEventListener("late", () => (globalThis.ended = true)));
  await page.focus("#source");
  await page.keyboard.press("Control+End");
  await page.keyboard.type("\nwhile True: pass");
  await until("the worker to be ended", () => page.evaluate(() => globalThis.ended));
  await quiet(page);
  const seen = { stopped: [(await state(page)).held, await page.textContent("#held-says"), await rows(page)] };
  await press(page, "Copy link");
  const link = await until("the link in the address bar", () => page.url(), (url) => url.includes("#files="));
  const guest = await context.newPage();
  await guest.goto(link);
  await quiet(guest);
  seen.linked = [(await state(guest)).held, await source(guest), await rows(guest)];
  await guest.close();
  for (let key = 0; key < "while True: pass".length; key++) await page.keyboard.press("Backspace");
  await page.fill("#source", (await source(page)).replace(/\n *while True: pass/, "").replace("city:", "place:"));
  await press(page, "Run this code");
  seen.mended = [(await state(page)).held, await plan(page)];
  return seen;
};

// Two apps of SQLAlchemy, by keyboard alone, on a phone, in light and dark; what axe says of each. Without the snapshot.
scenarios.page_access = async (context, Tab, origin) => {
  const page = await context.newPage();
  await page.route("**/snapshot.bin.gz", (route) => route.fulfill({ status: 200, body: "no snapshot" }));
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${origin}/?example=sqlalchemy&patience=60`);
  await quiet(page);
  const downloads = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
  await press(page, "5. Second app");
  await page.focus("#source");
  const reached = [];
  for (let key = 0; key < 40 && reached.at(-1) !== "sync"; key++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
  }
  if (reached.at(-1) !== "sync") throw new Error(`Tab reached ${reached}`);
  await page.keyboard.press("Enter");
  await until("the sync that the keyboard began", () => state(page), (seen) => seen.done || seen.problem);
  await quiet(page);
  if (await problem(page)) throw new Error(await problem(page));
  for (let row = 0; row < 3; row++) await press(page, "Add a row to lead"); // brings rows that its keys need
  const leads = [await rows(page, "lead"), await rows(page, "campaign"), await problem(page)];
  const apps = await page.locator("#tree .folder").allTextContents();
  const keys = await page.locator("#after svg path").count();
  const found = {};
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => axe.run());
    found[colorScheme] = [violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), passes.length];
  }
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  return { reached, found, tooWide, ground, leads, apps, keys, doctypes: downloads.some((name) => name.includes("doctypes")) };
};
