// The module worker: boots Pyodide from the same server, unpacks the precompiled modules, and runs Python for the page.
// A message is {id, code, values}; the answer {id, value} or {id, error}. Before it is ready it tells of its progress
// with {stage, loaded, total} in bytes; `tell(text)` of Python sends {told: text}.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const SITE = "/packages";
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

const archive = async (name) => {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
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

const boot = async () => {
  const first = "packages.zip";
  sizes = await (await fetch("sizes.json")).json();
  for (const name of ["pyodide.asm.wasm", "python_stdlib.zip", first]) download.total += sizes[name];
  const bytes = archive(first); // while Pyodide's own files come
  const python = await loadPyodide({ indexURL: new URL("pyodide/", location.href).href });
  report("boot");
  python.unpackArchive(await bytes, "zip", { extractDir: SITE });
  unpacked.set(first, Promise.resolve());
  python.globals.set("tell", (text) => postMessage({ told: text }));
  python.globals.set("unpack", (name) => unpack(python, name));
  await python.runPythonAsync(`import sys; sys.path[:0] = ["${SITE}"]`);
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
