// The page's end of the worker: `start`, `run` Python in it, `kill` it. Events: "progress", "told" and "dead".
export class Client extends EventTarget {
  #worker = null;
  #count = 0;
  #waiting = new Map();

  start() {
    this.kill();
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.stage) return this.#emit("progress", data);
      if (data.told !== undefined) return this.#emit("told", data.told);
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      data.error === undefined ? resolve(data.value) : reject(new Error(data.error));
    };
    worker.onerror = (event) => this.#fail(event.message || "The worker could not be loaded.");
    this.#worker = worker;
  }

  // Runs Python, with `values` as its local names; resolves to what its last line comes to.
  run(code, values) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#count, { resolve, reject });
      this.#worker.postMessage({ id: this.#count, code, values });
    });
  }

  kill() {
    this.#worker?.terminate();
    this.#fail("The worker was stopped.");
  }

  #fail(message) {
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    left.forEach(({ reject }) => reject(new Error(message)));
    if (this.#worker) this.#emit("dead", message);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
