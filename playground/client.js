// The page's end of the worker: `start`, `run` Python in it, `kill` it. Events: "progress", "told", "late" and "dead".
// "late" is for a worker that was ended because Python did not come back from the user's text in time; "dead" for others.
export class Client extends EventTarget {
  #worker = null;
  #count = 0;
  #waiting = new Map();
  #clock;
  patience = 1; // how many times as long as usual the user's text may take

  start() {
    this.kill();
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.stage) return this.#emit("progress", data);
      if (data.told !== undefined) return this.#emit("told", data.told);
      if (data.watch !== undefined) return this.#watch(data.watch);
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      data.error === undefined ? resolve(data.value) : reject(new Error(data.error));
    };
    worker.onerror = (event) => this.#fail(event.message || "The worker could not be loaded.", "dead");
    this.#worker = worker;
  }

  // Runs Python, with `values` as its local names; resolves to what its last line comes to.
  run(code, values) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#count, { resolve, reject });
      this.#worker.postMessage({ id: this.#count, code, values });
    });
  }

  // Ends the worker. What waits for it fails.
  kill(event = "dead") {
    clearTimeout(this.#clock);
    this.#worker?.terminate();
    this.#fail("The worker was stopped.", event);
  }

  #watch(seconds) {
    clearTimeout(this.#clock);
    // The second clock is for a page that was asleep: the message that ends the wait may be there already.
    const end = () => (this.#clock = setTimeout(() => this.kill("late"), 1000));
    if (seconds) this.#clock = setTimeout(end, seconds * 1000 * this.patience);
  }

  #fail(message, event) {
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    left.forEach(({ reject }) => reject(new Error(message)));
    if (this.#worker) this.#emit(event, message);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
