// What goes wrong around a store, in a real browser: a full quota, files that are no database, a store of another kind.
export const scenarios = {};
const QUOTA = 600_000; // bytes beyond what the page itself takes; IndexedDB looks at its quota now and then only

const limit = async (context, tab, quotaSize) => {
  const session = await context.newCDPSession(tab.page);
  const origin = new URL(tab.page.url()).origin;
  await session.send("Storage.overrideQuotaForOrigin", quotaSize === undefined ? { origin } : { origin, quotaSize });
  // The page is asked, for what it sees is what counts: DevTools may answer before the override has come there.
  let seen;
  do seen = await tab.page.evaluate(() => navigator.storage.estimate());
  while (quotaSize !== undefined && seen.quota !== quotaSize);
  return seen;
};

// IndexedDB keeps what it last heard of its quota for some seconds: another database asks until it is refused.
const enforced = (tab) =>
  tab.page.evaluate(async () => {
    const attempt = () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("probe", 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore("things");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const transaction = database.transaction("things", "readwrite");
          const end = (refused) => {
            database.close();
            indexedDB.deleteDatabase("probe").onsuccess = () => resolve(refused);
          };
          transaction.oncomplete = () => end(false);
          transaction.onabort = () => end(true);
          transaction.objectStore("things").put(new Uint8Array(20_000_000), 1);
        };
      });
    for (let tries = 1; tries <= 60; tries += 1) {
      if (await attempt()) return tries;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    return "never";
  });

for (const kind of ["idbfs", "opfs"]) {
  scenarios[`failures_${kind}`] = async (context, Tab) => {
    const tab = await Tab.open(context);
    const room = await limit(context, tab, (await limit(context, tab)).usage + QUOTA);
    await tab.run(`await migrate("${kind}", "name")`);
    await tab.run(`await insert("${kind}", "kept")`);
    if (kind === "idbfs") room.tries = await enforced(tab);
    const seen = { room, full: await tab.run(`await migrate_much("${kind}")`) };
    await tab.restart();
    seen.restarted = await tab.run(`await look("${kind}")`);
    await limit(context, tab);
    seen.again = await tab.run(`await migrate("${kind}", "name", "note", "late")`);
    seen.end = await tab.run(`await look("${kind}")`);

    if (kind === "opfs") {
      // Somebody else has the file itself open, and knows nothing of our lock.
      await tab.run("await open_raw_and_keep()");
      seen.stranger = await tab.run('await migrate("opfs", "name", patience=0.3)');
      await tab.run("close_raw()");
    }
    await tab.run(`await write_raw("${kind}", b"this is no database, but a text" * 300)`);
    seen.corrupt = await tab.run(`await migrate("${kind}", "name", "more")`);
    seen.stored = await tab.run(`await read_raw("${kind}")`);
    await tab.run(`await make_unopenable("${kind}")`);
    seen.unopenable = await tab.run(`await migrate("${kind}", "name", patience=0.3)`);
    // What of asyncio.run works depends on the browser's JSPI; the engine itself never needs it.
    if (kind === "idbfs") seen.loops = await tab.run("await try_asyncio_run()");
    return seen;
  };
}
