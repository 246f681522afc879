// The module worker of the browser tests: boots Pyodide from the same server, unpacks the package, runs Python for the
// page. A message is {id, code, names}; the answer {id, value} or {id, error}. `signal(text)` of Python tells the page.
import { loadPyodide } from "/pyodide/pyodide.mjs";

const booted = (async () => {
  const python = await loadPyodide({ indexURL: "/pyodide/" });
  const archive = await (await fetch("/packages.zip")).arrayBuffer();
  python.unpackArchive(new Uint8Array(archive), "zip", { extractDir: "/packages" });
  python.globals.set("signal", (text) => postMessage({ signal: text }));
  await python.runPythonAsync('import sys; sys.path[:0] = ["/packages"]');
  await python.runPythonAsync(await (await fetch("/inside.py")).text());
  return python;
})();

onmessage = async ({ data: { id, code } }) => {
  try {
    const python = await booted;
    const value = await python.runPythonAsync(code);
    postMessage({ id, value: value?.toJs ? value.toJs() : value });
  } catch (error) {
    postMessage({ id, error: String(error.message ?? error) });
  }
};
