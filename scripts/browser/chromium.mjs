// Launches the one Chromium that is pinned: that of the npm package @sparticuz/chromium, whose version is in
// package.json. $CHROMIUM, when it is set, is taken instead, whatever its version. No other is looked for: features come
// and go with versions. (Field trials do not: Playwright starts it with --disable-field-trial-config.)
//   node scripts/browser/chromium.mjs      says which one that is here
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const PACKAGE = "@sparticuz/chromium";
const ARGUMENTS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
];

const pinned = () => JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8")).devDependencies[PACKAGE];

// The package unpacks into the folder of temporary files, and takes whichever file called chromium it finds there: of
// another version, or one that another process has not written to its end. It gets a folder of its own.
const packaged = async () => {
  const parent = path.join(ROOT, "node_modules", ".cache");
  const folder = path.join(parent, `chromium-${pinned()}`);
  const executable = path.join(folder, "chromium");
  if (fs.existsSync(executable)) return executable;
  fs.mkdirSync(parent, { recursive: true });
  const fresh = fs.mkdtempSync(path.join(parent, "unpacking-"));
  const { TMPDIR } = process.env;
  try {
    process.env.TMPDIR = fresh;
    const { default: found } = await import(createRequire(import.meta.url).resolve(PACKAGE));
    await found.executablePath();
    fs.renameSync(fresh, folder);
  } catch (error) {
    if (!fs.existsSync(executable)) throw error; // else another process was quicker
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    fs.rmSync(fresh, { recursive: true, force: true });
  }
  return executable;
};

export const launch = async () => {
  const named = process.env.CHROMIUM;
  let browser;
  try {
    const executablePath = named || await packaged();
    browser = await chromium.launch({ executablePath, args: ARGUMENTS });
    const [wanted] = pinned().split(".");
    if (!named && browser.version().split(".")[0] !== wanted) {
      throw new Error(`${PACKAGE} ${pinned()} is Chromium ${browser.version()}`);
    }
    return Object.assign(browser, { executablePath });
  } catch (error) {
    await browser?.close();
    // Of Playwright's report the first line, and what the program itself wrote.
    const [first, ...report] = String(error.message).split("\n");
    const reason = [first, ...report.filter((line) => line.includes("[err]")).slice(0, 10)].join(" ");
    throw new Error(
      `${named ? `$CHROMIUM (${named})` : `Chromium from npm's ${PACKAGE} ${pinned()}`} could not be started: ` +
        `${reason}. Name the executable of another one, of that version if it can be, in $CHROMIUM.`,
    );
  }
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const browser = await launch();
    console.log(`${browser.executablePath}: ${browser.version()}`);
    await browser.close();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
