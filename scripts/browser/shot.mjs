// Takes the README's pictures of the playground, from the real page: node scripts/browser/shot.mjs PLAYGROUND_FOLDER
import path from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./chromium.mjs";
import { serve } from "./server.mjs";

const images = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../docs/images");
const { origin, close } = await serve(process.argv[2]);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1180, height: 880 }, deviceScaleFactor: 1.25 });
const page = await context.newPage();
page.setDefaultTimeout(180_000);
const quiet = () => page.waitForSelector("body[data-ready]:not([data-busy])");
const press = async (name) => {
  await page.getByRole("button", { name }).click();
  await quiet();
};
await page.goto(origin);
await quiet();
await press("3. Add fields");
await page.evaluate(() => document.activeElement.blur());
for (const colorScheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme });
  await page.screenshot({ path: path.join(images, `playground-${colorScheme}.png`), fullPage: true });
}
await browser.close();
close();
