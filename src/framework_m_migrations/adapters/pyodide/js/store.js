// Locks between tabs, and a folder of the worker's file system kept in IndexedDB. The value of this file is an object
// of functions. The layout in IndexedDB is that of Emscripten's IDBFS, so that FS.syncfs works on the same data; unlike
// it, a flush takes its snapshot in one go, asks for strict durability, and tells of every failure.
(() => {
  const VERSION = 21;
  const FILES = "FILE_DATA";

  const failure = (name, message) => Object.assign(new Error(message), { name });

  // ---- Locks
  const local = (globalThis.__frameworkMStoreLocks ??= new Map());

  const localLock = (name, patience) => {
    let done, given;
    const free = new Promise((resolve) => (done = resolve));
    const take = async () => {
      const end = Date.now() + patience;
      while (local.has(name)) {
        const left = end - Date.now();
        if (left <= 0 || given === false) throw failure("StoreInUse", "another holder in this worker has it");
        await Promise.race([local.get(name), new Promise((resolve) => setTimeout(resolve, left))]);
      }
      if (given === false) throw failure("StoreInUse", "it was given up");
      given = true;
      local.set(name, free);
    };
    const release = async () => {
      if (given === true) local.delete(name);
      given = false;
      done();
    };
    return { ready: take(), release };
  };

  const lock = (name, patience) => {
    if (!globalThis.navigator?.locks) return localLock(name, patience);
    const giveUp = new AbortController();
    let done;
    const held = new Promise((resolve) => (done = resolve));
    let request;
    const ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => giveUp.abort(), patience);
      request = navigator.locks.request(name, { signal: giveUp.signal }, () => {
        clearTimeout(timer);
        resolve();
        return held;
      });
      request.catch((error) => {
        clearTimeout(timer);
        const refused = error.name === "AbortError";
        reject(refused ? failure("StoreInUse", "another tab or worker of this site has it") : error);
      });
    });
    const release = async () => {
      giveUp.abort();
      done();
      await request.catch(() => undefined); // ready has told of it
    };
    return { ready, release };
  };

  // ---- IndexedDB
  const answer = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = (event) => {
        event.preventDefault();
        reject(request.error);
      };
    });

  const finished = (transaction) =>
    new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? failure("AbortError", "the browser gave up the transaction"));
    });

  // Chromium's QuotaExceededError is a class of its own, and Python never hears of a promise that is rejected with one.
  const plain = (error) => {
    throw failure(error.name, error.message);
  };

  const withDatabase = (name, work) => opened(name, work).catch(plain);

  const opened = async (name, work) => {
    if (!globalThis.indexedDB) throw failure("StoreUnavailable", "there is no IndexedDB here");
    const opening = indexedDB.open(name, VERSION);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      const files = database.objectStoreNames.contains(FILES)
        ? opening.transaction.objectStore(FILES)
        : database.createObjectStore(FILES);
      if (!files.indexNames.contains("timestamp")) files.createIndex("timestamp", "timestamp", { unique: false });
    };
    const database = await answer(opening);
    try {
      return await work(database);
    } finally {
      database.close();
    }
  };

  const storedTimes = async (files) => {
    const index = files.index("timestamp");
    const times = new Map();
    await new Promise((resolve, reject) => {
      const request = index.openKeyCursor();
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return resolve();
        times.set(cursor.primaryKey, cursor.key.getTime());
        cursor.continue();
      };
    });
    return times;
  };

  // ---- The folder
  const localTimes = (FS, folder) => {
    const times = new Map();
    const walk = (path) => {
      for (const name of FS.readdir(path)) {
        if (name === "." || name === "..") continue;
        const child = `${path.replace(/\/$/, "")}/${name}`;
        const stat = FS.stat(child);
        times.set(child, stat.mtime.getTime());
        if (FS.isDir(stat.mode)) walk(child);
      }
    };
    walk(folder);
    return times;
  };

  const print = (times) => JSON.stringify([...times].sort(([a], [b]) => (a < b ? -1 : 1)));

  const fingerprint = (FS, folder) => print(localTimes(FS, folder));

  // What a path is in: "none" (it does not exist), "memory", "idbfs" or "other", and the mount point.
  const mounted = (FS, folder) => {
    if (!FS.analyzePath(folder).exists) {
      const parent = folder.slice(0, folder.lastIndexOf("/")) || "/";
      if (parent === folder) return ["memory", "/"];
      const [kind, where] = mounted(FS, parent);
      return kind === "memory" ? ["none", ""] : [kind, where];
    }
    const { mount } = FS.lookupPath(folder).node;
    if (mount.type === FS.filesystems.IDBFS) return ["idbfs", mount.mountpoint];
    return mount.mountpoint === "/" || mount.type === FS.filesystems.MEMFS
      ? ["memory", mount.mountpoint]
      : ["other", mount.mountpoint];
  };

  const mount = (FS, folder) => {
    if (mounted(FS, folder)[0] === "idbfs") return;
    FS.mkdirTree(folder);
    FS.mount(FS.filesystems.IDBFS, {}, folder);
  };

  const write = (FS, path, entry) => {
    if (FS.isDir(entry.mode)) FS.mkdirTree(path);
    else FS.writeFile(path, entry.contents, { canOwn: true });
    FS.chmod(path, entry.mode);
    FS.utime(path, entry.timestamp.getTime(), entry.timestamp.getTime());
  };

  const remove = (FS, path) => (FS.isDir(FS.stat(path).mode) ? FS.rmdir(path) : FS.unlink(path));

  const load = (FS, folder, knownLocal, knownStored) =>
    withDatabase(folder, async (database) => {
      const files = database.transaction([FILES], "readonly").objectStore(FILES);
      const stored = await storedTimes(files);
      const before = localTimes(FS, folder);
      if (print(stored) === print(before)) return print(stored);
      if (print(before) !== knownLocal && before.size > 0) {
        if (print(stored) === knownStored) return knownStored; // changed here only: to be flushed
        throw failure("StoreConflict", "its files were changed here and not flushed, and the stored ones are others");
      }
      const wanted = [...stored.keys()].filter((path) => before.get(path) !== stored.get(path)).sort();
      const entries = await Promise.all(wanted.map((path) => answer(files.get(path))));
      for (const path of [...before.keys()].sort().reverse()) if (!stored.has(path)) remove(FS, path);
      wanted.forEach((path, number) => write(FS, path, entries[number]));
      // Writing and removing files gave their folders a new time.
      stored.forEach((time, path) => FS.utime(path, time, time));
      return print(stored);
    });

  // A file that is written again within the millisecond of its last write would look as it did before.
  const settled = async (FS, folder) => {
    while ([...localTimes(FS, folder).values()].includes(Date.now())) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  const flush = (FS, folder) =>
    withDatabase(folder, async (database) => {
      await settled(FS, folder);
      const transaction = database.transaction([FILES], "readwrite", { durability: "strict" });
      const end = finished(transaction);
      end.catch(() => undefined); // awaited below; an earlier failure is told first
      const files = transaction.objectStore(FILES);
      const stored = await storedTimes(files);
      const now = localTimes(FS, folder);
      try {
        for (const [path, time] of now) {
          if (stored.get(path) === time) continue;
          const { mode } = FS.stat(path);
          const entry = { timestamp: new Date(time), mode };
          if (!FS.isDir(mode)) entry.contents = FS.readFile(path);
          files.put(entry, path);
        }
        for (const path of stored.keys()) if (!now.has(path)) files.delete(path);
      } catch (error) {
        transaction.abort();
        throw error;
      }
      await end;
      return print(now);
    });

  return { lock, mounted, mount, load, flush, fingerprint };
})();
