// The module worker: boots Pyodide from the same server, from a memory snapshot that has everything imported, and runs
// Python for the page. A message is {id, code, values}; the answer {id, value} or {id, error}. Before it is ready it
// sends its progress as {stage, loaded, total} in bytes. `tell(text)` of Python sends {told: text}, `watch(seconds)`
// {watch: seconds}: the page ends the worker if it does not hear of it again in time.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const SITE = "/packages";
const BOOTED = ["pyodide.asm.wasm", "python_stdlib.zip", "packages.zip", "snapshot.bin.gz"];
let sizes = {}; // bytes by file name
const download = { loaded: 0, total: 0 };

const report = (stage) => postMessage({ stage, ...download });

// Whatever is downloaded passes here, Pyodide's own files too, so that the page can show how far it is.
const plain = globalThis.fetch.bind(globalThis);
globalThis.fetch = async (input, options) => {
  const response = await plain(input, options);
  const name = new URL(input.url ?? input, location.href).pathname.split("/").pop();
  if (!response.ok || !response.body || !(name in sizes)) return response;
  const counted = response.body.pipeThrough(
    new TransformStream({
      transform: (chunk, controller) => {
        download.loaded += chunk.length;
        report("download");
        controller.enqueue(chunk);
      },
    }),
  );
  const { status, headers } = response;
  return new Response(counted, { status, headers: { "Content-Type": headers.get("Content-Type") ?? "" } });
};

const get = async (name) => {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
};
const archive = async (name) => new Uint8Array(await (await get(name)).arrayBuffer());
const snapshot = async () => {
  const { body } = await get("snapshot.bin.gz");
  return new Uint8Array(await new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
};

const unpacked = new Map();
const unpack = (python, name) => {
  if (!unpacked.has(name)) {
    download.total += sizes[name];
    unpacked.set(name, archive(name).then((bytes) => {
      report("import");
      python.unpackArchive(bytes, "zip", { extractDir: SITE });
    }));
  }
  return unpacked.get(name);
};

const load = async () => {
  const indexURL = new URL("pyodide/", location.href).href;
  try {
    const memory = await snapshot();
    const { default: create } = await import("./pyodide/pyodide.asm.mjs");
    return await loadPyodide({
      indexURL,
      _loadSnapshot: memory,
      // The memory has to be as large as the snapshot before it is copied, which Pyodide leaves to its caller.
      createPyodideModule: async (settings) => {
        const module = await create(settings);
        if (module.HEAP8.length < memory.length) module.growMemory(memory.length);
        return module;
      },
    });
  } catch (error) {
    // A browser may be unable to use it. Everything is imported when it is needed then, which takes longer.
    console.warn(`The memory snapshot is not used: ${error.message}`);
    return loadPyodide({ indexURL });
  }
};

const boot = async () => {
  sizes = await (await fetch("sizes.json")).json();
  for (const name of BOOTED) download.total += sizes[name];
  const [bytes, python] = await Promise.all([archive("packages.zip"), load()]);
  report("boot");
  python.unpackArchive(bytes, "zip", { extractDir: SITE });
  python.globals.set("tell", (text) => postMessage({ told: text }));
  python.globals.set("watch", (seconds) => postMessage({ watch: seconds }));
  python.globals.set("unpack", (name) => unpack(python, name));
  await python.runPythonAsync(`
import importlib, random, sys
random.seed() # or each tab would have the numbers of the snapshot
if "${SITE}" not in sys.path: sys.path[:0] = ["${SITE}"]
importlib.invalidate_caches()
`);
  for (const name of sizes.python) python.FS.writeFile(`${SITE}/${name}`, new Uint8Array(await (await get(name)).arrayBuffer()));
  report("ready");
  return python;
};

const booted = boot();
booted.catch(() => undefined); // each message tells of it

const answer = async ({ id, code, values }) => {
  try {
    const python = await booted;
    const locals = values === undefined ? undefined : python.toPy(values);
    const value = await python.runPythonAsync(code, locals === undefined ? {} : { locals });
    postMessage({ id, value: value?.toJs ? value.toJs() : value });
  } catch (error) {
    postMessage({ id, error: String(error.message ?? error) });
  }
};
onmessage = ({ data }) => answer(data);
