// The playground as a person uses it.
import fs from "node:fs";
import { createRequire } from "node:module";
import { until, within } from "./waiting.mjs";

export const scenarios = {};
const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

const state = (page) => page.evaluate(() => ({
  ...document.body.dataset,
  ...Object.fromEntries(["stage", "summary", "done", "problem"].map((id) => [id, document.querySelector(`#${id}`)?.textContent])),
}));
const quiet = (page) => until("the page to be ready and not busy", () => state(page),
  (seen) => seen.ready !== undefined && seen.busy === undefined);
const press = async (page, text) => {
  await within(`the button "${text}"`, page.getByRole("button", { name: text }).click(), { seen: () => state(page) });
  await quiet(page);
};
// Types at the end of the class, as a person would; the plan follows by itself.
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
const rows = (page) => page.locator(".table tbody tr").evaluateAll((all) =>
  all.map((row) => [...row.cells].map((cell) => cell.textContent).join("|")));
const sql = (page) => page.locator(".change pre").allTextContents();
const done = (page) => page.textContent("#done");
const problem = (page) => page.textContent("#problem");

// A DocType from its first table to a reviewed revision, with a reload on the way.
scenarios.page_doctype = async (context, Tab, origin) => {
  const page = await context.newPage();
  const strangers = [];
  const stages = [];
  page.on("request", (request) => new URL(request.url()).origin === origin || request.url().startsWith("data:") || strangers.push(request.url()));
  await page.exposeFunction("stage", (text) => stages.push(text));
  await page.addInitScript(() => addEventListener("DOMContentLoaded", () =>
    new MutationObserver(() => stage(document.querySelector("#stage").textContent))
      .observe(document.querySelector("#stage"), { childList: true })));
  await page.goto(origin);
  await quiet(page);
  const seen = { first: await plan(page), sql: await sql(page) };
  await press(page, "Sync 1 safe change");
  seen.synced = [await done(page), await plan(page)];
  await press(page, "Add a row");
  await press(page, "Add a row");
  await type(page, "    phone: str | None = None");
  seen.typed = await plan(page);
  await type(page, "\nbroken("); // the editor indents it
  seen.broken = await problem(page);
  for (let key = 0; key < "\n    broken(".length; key++) await page.keyboard.press("Backspace");
  await until("the problem to go", () => state(page), (seen) => !seen.problem);

  await page.reload();
  await quiet(page);
  seen.reloaded = [await rows(page), await plan(page)];
  await page.focus("#source");
  await page.keyboard.press("Control+Enter");
  await until("the sync that the keyboard began", () => state(page), (seen) => seen.done);
  await quiet(page);
  seen.keyboard = [await done(page), await rows(page)];

  await press(page, "4. Remove a field");
  await press(page, "Sync 1 safe change");
  seen.withheld = await plan(page);
  await press(page, "Create revision");
  await press(page, "Run");
  seen.refused = await problem(page); // a row has no email
  const text = page.locator("#revision-list textarea");
  await text.fill((await text.inputValue()).replace(/# (op\.execute\('UPDATE "customer" SET "email" = )\.\.\./, '$1"nobody"'));
  await press(page, "Run");
  seen.ran = [await done(page), await plan(page), await rows(page), await problem(page)];
  await page.reload();
  await quiet(page);
  seen.kept = [await plan(page), await rows(page), await page.locator("#revision-list .badge").allTextContents()];
  await press(page, "Start over");
  seen.over = [await rows(page), (await plan(page)).length];
  return { ...seen, strangers, stages: [...new Set(stages.map((stage) => stage.replace(/[\d.]+/g, "N")))] };
};

// Tables of SQLAlchemy, by keyboard alone, on a phone, in light and dark; what axe says of each.
scenarios.page_access = async (context, Tab, origin) => {
  const page = await context.newPage();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${origin}/?example=sqlalchemy`);
  await quiet(page);
  const downloads = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
  await page.focus("#source");
  const reached = [];
  for (let key = 0; key < 6; key++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
    if (reached.at(-1) === "sync") break;
  }
  if (reached.at(-1) !== "sync") throw new Error(`Tab reached ${reached}`);
  await page.keyboard.press("Enter");
  await until("the sync that the keyboard began", () => state(page), (seen) => seen.done || seen.problem);
  await quiet(page);
  if (await problem(page)) throw new Error(await problem(page));
  await press(page, "Add a row");
  await press(page, "4. Remove a field");
  const found = {};
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => axe.run());
    found[colorScheme] = [violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), passes.length];
  }
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  return { reached, found, tooWide, ground, doctypes: downloads.some((name) => name.includes("doctypes")) };
};
