// Launches a Chromium, the first that starts of: $CHROMIUM, those on the PATH, the one of the npm package
// @sparticuz/chromium, and Debian's where this is root and there is none. $CHROMIUM, when it is set, is the only one.
//   node scripts/browser/chromium.mjs      says which one that is here
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const ARGUMENTS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
];

const onPath = () =>
  (process.env.PATH ?? "")
    .split(path.delimiter)
    .flatMap((folder) => NAMES.map((name) => path.join(folder, name)))
    .filter((file) => fs.existsSync(file));

const packaged = async () => {
  const { default: found } = await import("@sparticuz/chromium");
  return found.executablePath();
};

const installed = () => {
  if (process.getuid?.() !== 0) throw new Error("not root: no package is installed");
  for (const what of [["update"], ["install", "--yes", "--no-install-recommends", "chromium"]]) {
    const done = spawnSync("apt-get", what, { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`apt-get ${what[0]}: ${done.stderr || done.error}`);
  }
  const [found] = onPath();
  if (!found) throw new Error("apt-get has installed it, and it is not on the PATH");
  return found;
};

export const launch = async () => {
  const ways = process.env.CHROMIUM
    ? [() => process.env.CHROMIUM]
    : [...onPath().map((file) => () => file), packaged, installed];
  const failures = [];
  for (const way of ways) {
    try {
      const executablePath = await way();
      return Object.assign(await chromium.launch({ executablePath, args: ARGUMENTS }), { executablePath });
    } catch (error) {
      failures.push(String(error.message).split("\n")[0]);
    }
  }
  throw new Error(
    `No Chromium could be started: ${failures.join("; ")}. ` +
      "Install one (Debian's package is called chromium), or name its executable in $CHROMIUM.",
  );
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
