// All waits of the scenarios: each has a limit, and a message with what was awaited and what was seen last.
import { setTimeout as sleep } from "node:timers/promises";

export const LIMIT = 600_000; // milliseconds for one wait: a machine with a load of 30 is slow
const EVERY = 20;
const GLANCE = 10_000; // for the last look at something that may hang

// What is awaited now, for the message of a scenario that does not end.
const pending = new Set();
export const awaited = () => [...pending].join("; ") || "nothing";

const show = (value) => {
  const text = value instanceof Error ? value.message : JSON.stringify(value);
  return String(text).slice(0, 2000);
};

// The value of `promise`. Where it is not there in time, `seen` is asked for what there is instead.
export const within = async (what, promise, { limit = LIMIT, seen = async () => "nothing" } = {}) => {
  const late = Symbol("late");
  const stop = new AbortController();
  pending.add(what);
  try {
    const clock = sleep(limit, late, { signal: stop.signal, ref: false });
    clock.catch(() => undefined); // stopped below
    const value = await Promise.race([promise, clock]);
    if (value !== late) return value;
    const glance = sleep(GLANCE, "no answer", { ref: false });
    const last = await Promise.race([Promise.resolve().then(seen).catch((error) => error), glance]);
    throw new Error(`Waited ${limit / 1000} s for ${what}. Seen last: ${show(last)}`);
  } catch (error) {
    if (error instanceof Error && !error.message.includes(what)) error.message = `${what}: ${error.message}`;
    throw error;
  } finally {
    pending.delete(what);
    stop.abort();
    Promise.resolve(promise).catch(() => undefined); // it may fail later, when nothing listens
  }
};

// Asks `look` again and again until what it answers is what `holds` accepts; returns that answer.
export const until = async (what, look, holds = Boolean, { limit = LIMIT, every = EVERY } = {}) => {
  let last = "nothing";
  let over = false;
  const work = async () => {
    while (!over) {
      last = await look();
      if (holds(last)) return last;
      await sleep(every);
    }
    return last;
  };
  try {
    return await within(what, work(), { limit, seen: () => last });
  } finally {
    over = true;
  }
};
