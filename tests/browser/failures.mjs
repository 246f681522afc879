// What goes wrong around a store, in a real browser: a full store, files that are no database, a store of another kind.
// Each kind of failure is a scenario of its own: one that this browser does not show leaves the others alone.
import { until } from "./waiting.mjs";

export const scenarios = {};
const QUOTA = 600_000; // bytes beyond what the page itself takes
const PROBE = 20_000_000; // bytes that do not fit into it

// Without a size the browser's own quota holds again. Chromium enforces the override whatever
// navigator.storage.estimate() reports: with its feature StaticStorageQuota, which is on by default, that is a
// constant. So it is never asked: see `refuses`. The override ends with its session.
const sessions = new WeakMap();
const override = async (context, tab, quotaSize) => {
  if (!sessions.has(tab)) sessions.set(tab, await context.newCDPSession(tab.page));
  const session = sessions.get(tab);
  const { origin } = new URL(tab.page.url());
  const state = () => session.send("Storage.getUsageAndQuota", { origin });
  await session.send("Storage.overrideQuotaForOrigin", quotaSize === undefined ? { origin } : { origin, quotaSize });
  const active = quotaSize !== undefined;
  return until(`the quota to be ${quotaSize ?? "the browser's own"}`, state,
    (seen) => seen.overrideActive === active && (!active || seen.quota === quotaSize));
};

// Writes as much as does not fit under the override, and takes it away again: "written", or the error that it met.
const PROBES = {
  idbfs: (size) => new Promise((resolve) => {
    const opening = indexedDB.open("probe", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("things");
    opening.onerror = () => resolve(String(opening.error));
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction("things", "readwrite");
      const end = (answer) => {
        database.close();
        const removal = indexedDB.deleteDatabase("probe");
        removal.onsuccess = removal.onerror = () => resolve(answer);
      };
      transaction.oncomplete = () => end("written");
      transaction.onabort = () => end(String(transaction.error));
      transaction.objectStore("things").put(new Uint8Array(size), 1);
    };
  }),
  opfs: async (size) => {
    const root = await navigator.storage.getDirectory();
    try {
      const file = await (await root.getFileHandle("probe", { create: true })).createWritable();
      await file.write(new Uint8Array(size));
      await file.close();
      return "written";
    } catch (error) {
      return String(error);
    } finally {
      await root.removeEntry("probe").catch(() => undefined);
    }
  },
};
// A store may keep what it last heard of its quota for some seconds: it is asked until it answers as wanted.
const refuses = (tab, kind, wanted) =>
  until(`${kind} to ${wanted ? "refuse" : "take"} ${PROBE} bytes`, () => tab.page.evaluate(PROBES[kind], PROBE),
    (seen) => (seen !== "written") === wanted, { every: 500 });

const stored = async (context, Tab, kind) => {
  const tab = await Tab.open(context);
  await tab.run(`await migrate("${kind}", "name")`);
  return tab;
};

for (const kind of ["idbfs", "opfs"]) {
  scenarios[`quota_${kind}`] = async (context, Tab) => {
    const tab = await stored(context, Tab, kind);
    await tab.run(`await insert("${kind}", "kept")`);
    const { usage } = await override(context, tab); // of the database that is stored, too
    const seen = { room: await override(context, tab, usage + QUOTA) };
    seen.refused = await refuses(tab, kind, true);
    seen.full = await tab.run(`await migrate_much("${kind}")`);
    await tab.restart();
    seen.restarted = await tab.run(`await look("${kind}")`);
    await override(context, tab);
    await refuses(tab, kind, false);
    seen.again = await tab.run(`await migrate("${kind}", "name", "note", "late")`);
    seen.end = await tab.run(`await look("${kind}")`);
    return seen;
  };

  scenarios[`corrupt_${kind}`] = async (context, Tab) => {
    const tab = await stored(context, Tab, kind);
    await tab.run(`await write_raw("${kind}", b"this is no database, but a text" * 300)`);
    const corrupt = await tab.run(`await migrate("${kind}", "name", "more")`);
    return { corrupt, stored: await tab.run(`await read_raw("${kind}")`) };
  };

  scenarios[`unopenable_${kind}`] = async (context, Tab) => {
    const tab = await stored(context, Tab, kind);
    await tab.run(`await make_unopenable("${kind}")`);
    return tab.run(`await migrate("${kind}", "name", patience=0.3)`);
  };
}

// Somebody else has the file itself open, and knows nothing of our lock. (Of our own lock: tabs_idbfs and tabs_opfs.)
scenarios.in_use_opfs = async (context, Tab) => {
  const tab = await stored(context, Tab, "opfs");
  await tab.run("await open_raw_and_keep()");
  const stranger = await tab.run('await migrate("opfs", "name", patience=0.3)');
  await tab.run("close_raw()");
  return [stranger, await tab.run('await migrate("opfs", "name", "note")')];
};

// What of asyncio.run works depends on the browser's JSPI; the engine itself never needs it.
scenarios.loops = async (context, Tab) => {
  const tab = await Tab.bare(context);
  const synced = [await tab.run('await migrate("opfs", "name")')];
  await tab.reload(); // The first page has run its example.
  for (let turn = 0; turn < 2; turn += 1) synced.push(await tab.run('await migrate("opfs", "name", "note")'));
  return { synced, alembic: await tab.run("modules_of_alembic()"), asyncio: await tab.run("await try_asyncio_run()") };
};
