// A file system of Emscripten over FileSystemSyncAccessHandles (workers only). The handles are opened beforehand, for
// opening one takes a promise and SQLite cannot wait; so only files named at `open` can exist. An empty file counts as
// absent: SQLite takes an empty journal for none.
(() => {
  const EIO = 29, ENOENT = 44, ENOSPC = 51, EPERM = 63, EINVAL = 28;

  const directoryOf = async (folder) => {
    if (!globalThis.navigator?.storage?.getDirectory) {
      throw Object.assign(new Error("there is no private file system here"), { name: "StoreUnavailable" });
    }
    let directory = await navigator.storage.getDirectory();
    for (const part of folder.split("/").filter(Boolean)) {
      directory = await directory.getDirectoryHandle(part, { create: true });
    }
    return directory;
  };

  // Python never hears of a promise that is rejected with Chromium's QuotaExceededError, which is a class of its own.
  const plain = (error) => {
    throw Object.assign(new Error(error.message), { name: error.name });
  };
  const plainly = (work) => {
    try {
      return work();
    } catch (error) {
      return plain(error);
    }
  };

  // As an access handle, for files that nobody misses afterwards.
  const inMemory = () => {
    let bytes = new Uint8Array(0);
    const resize = (size) => {
      const next = new Uint8Array(size);
      next.set(bytes.subarray(0, size));
      bytes = next;
    };
    return {
      getSize: () => bytes.length,
      truncate: resize,
      flush: () => undefined,
      close: () => undefined,
      read: (view, { at }) => {
        const part = bytes.subarray(at, at + view.length);
        view.set(part);
        return part.length;
      },
      write: (view, { at }) => {
        if (at + view.length > bytes.length) resize(at + view.length);
        bytes.set(view, at);
        return view.length;
      },
    };
  };

  // `names` of files that are kept and `passing` ones of files that are not, each list joined by line feeds.
  const open = async (FS, folder, names, passing) => {
    const directory = await directoryOf(folder);
    const slots = new Map();
    const closeAll = () => slots.forEach((slot) => slot.handle.close());
    try {
      for (const name of names.split("\n")) {
        const file = await directory.getFileHandle(name, { create: true });
        const handle = await file.createSyncAccessHandle();
        const size = handle.getSize();
        slots.set(name, { handle, size, present: size > 0, dirty: false, time: Date.now() });
      }
    } catch (error) {
      closeAll();
      throw error;
    }
    for (const name of passing.split("\n")) {
      slots.set(name, { handle: inMemory(), size: 0, present: false, dirty: false, time: Date.now() });
    }

    const guarded = (work) => {
      try {
        return work();
      } catch (error) {
        throw new FS.ErrnoError(error.name === "QuotaExceededError" ? ENOSPC : EIO);
      }
    };
    const settle = (slot) => {
      if (!slot.dirty) return;
      slot.handle.flush();
      slot.dirty = false;
    };
    // fsync does not reach Emscripten's file systems through fdatasync. Whatever was written to one file is made safe
    // before another is touched: the journal before the database, the database before the journal goes.
    const touch = (slot) => {
      slots.forEach((other) => other !== slot && settle(other));
      slot.dirty = true;
      slot.time = Date.now();
    };
    const resize = (slot, size) =>
      guarded(() => {
        touch(slot);
        slot.handle.truncate(size);
        slot.size = size;
      });
    const refused = () => {
      throw new FS.ErrnoError(EPERM);
    };

    const node = (parent, name, mode, ops) => {
      const made = FS.createNode(parent, name, mode, 0);
      Object.assign(made, ops);
      return made;
    };
    const attributes = (of, size, time) => {
      const when = new Date(time);
      const times = { atime: when, mtime: when, ctime: when };
      const blocks = Math.ceil(size / 4096);
      return { dev: 1, ino: of.id, mode: of.mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size, ...times, blksize: 4096, blocks };
    };
    const fileOps = {
      node_ops: {
        getattr: (file) => attributes(file, file.slot.size, file.slot.time),
        setattr: (file, changes) => {
          if (changes.mode != null) file.mode = changes.mode;
          if (changes.size !== undefined) resize(file.slot, changes.size);
        },
      },
      stream_ops: {
        read: (stream, buffer, offset, length, position) =>
          guarded(() => stream.node.slot.handle.read(buffer.subarray(offset, offset + length), { at: position })),
        write: (stream, buffer, offset, length, position) =>
          guarded(() => {
            const { slot } = stream.node;
            touch(slot);
            const written = slot.handle.write(buffer.subarray(offset, offset + length), { at: position });
            slot.size = Math.max(slot.size, position + written);
            return written;
          }),
        llseek: (stream, offset, whence) => {
          const from = whence === 1 ? stream.position : whence === 2 ? stream.node.slot.size : 0;
          if (from + offset < 0) throw new FS.ErrnoError(EINVAL);
          return from + offset;
        },
        fsync: (stream) => guarded(() => settle(stream.node.slot)) ?? 0,
      },
    };
    const file = (parent, name, mode) => Object.assign(node(parent, name, mode, fileOps), { slot: slots.get(name) });
    const directoryOps = {
      node_ops: {
        getattr: (of) => attributes(of, 4096, 0),
        setattr: () => undefined,
        lookup: (parent, name) => {
          if (!slots.get(name)?.present) throw new FS.ErrnoError(ENOENT);
          return file(parent, name, 0o100644);
        },
        mknod: (parent, name, mode) => {
          if (!slots.has(name) || !FS.isFile(mode)) refused();
          slots.get(name).present = true;
          return file(parent, name, mode);
        },
        unlink: (_, name) => {
          const slot = slots.get(name);
          resize(slot, 0);
          guarded(() => settle(slot));
          slot.present = false;
        },
        readdir: () => [".", "..", ...[...slots].filter(([, slot]) => slot.present).map(([name]) => name)],
        rename: refused,
        rmdir: refused,
        symlink: refused,
      },
      stream_ops: { llseek: fileOps.stream_ops.llseek },
    };

    try {
      FS.mkdirTree(folder);
      FS.mount({ mount: () => node(null, "/", 0o40777, directoryOps) }, {}, folder);
    } catch (error) {
      closeAll();
      throw error;
    }
    return {
      flush: () => plainly(() => slots.forEach(settle)),
      close: () =>
        plainly(() => {
          FS.unmount(folder);
          try {
            slots.forEach(settle);
          } finally {
            closeAll();
          }
        }),
    };
  };

  return { open: (...rest) => open(...rest).catch(plain) };
})();
