// The page: what was typed goes to the worker, what the worker answers is shown. One action at a time.
import { Client } from "./client.js";
import { draw } from "./diagram.js";
import { editor } from "./editor.js";
import { APPS, EXAMPLES, kindOf, same, stepOf } from "./examples.js";
import { fromLink, keep, kept, onTyped, toLink } from "./sharing.js";
import { make, problem, showPlan, showRenames, showTables, showTree, summary } from "./view.js";

const PAUSE = 250; // milliseconds without a key before the plan is made
const SLOW = 2000; // milliseconds before an action can be stopped by hand
const CHANGING = ["sync", "create", "run", "rollback", "discard", "add_row", "start_over"];
const $ = (id) => document.getElementById(id);
const client = (globalThis.client = new Client());
const tabs = new BroadcastChannel("framework-m-playground");

let files = {}; // app to text
let open = APPS[0]; // an app, or the id of a revision
let edits = {}; // revision to a text that is not stored yet
let state = { tables: [], revisions: [], before: [], after: [], plan: null, error: null };
let held = false; // stored code waits to be allowed
let trusted = false; // this tab may run what is in the files
let ready = false;
let late = ""; // why the worker was ended
let behind = false; // another tab changed something while this one was hidden
let typing;
let waiting = Promise.resolve();

const revision = (id) => state.revisions.find((one) => one.id === id);

const source = editor($("source"), (text) => {
  if (open in files) {
    files[open] = text;
    store();
    mark();
  } else edits[open] = text;
  $("done").textContent = "";
  clearTimeout(typing);
  if (!held) typing = setTimeout(() => act("look"), PAUSE);
});
const store = () => {
  if (!keep(files)) $("stored").textContent = "This browser keeps no text: a reload begins with the example.";
};

// ---- Actions
const call = async (name, rest) => {
  if (kindOf(files) === "doctype" && trusted) await client.run("await unpack('doctypes.zip')\nimport models; models.import_doctypes()");
  const given = { files, edits, trusted, kind: kindOf(files), seed: same(files, EXAMPLES[kindOf(files)][0].files), ...rest };
  return JSON.parse(await client.run("import engine\nawait engine.answer(name, given)", { name, given }));
};

const act = (name, rest = {}) => {
  clearTimeout(typing); // each action makes the plan too
  waiting = waiting.then(async () => {
    document.body.dataset.busy = name;
    buttons();
    const slow = setTimeout(() => ($("stop").hidden = !ready), SLOW);
    try {
      const sent = { ...edits };
      show(await call(name, rest));
      for (const [id, text] of Object.entries(sent)) if (edits[id] === text && revision(id)?.text === text) delete edits[id];
      if (CHANGING.includes(name) || Object.keys(sent).length) tabs.postMessage("changed");
    } catch (error) {
      if (!late) fail(error);
    } finally {
      clearTimeout(slow);
      $("stop").hidden = true;
      delete document.body.dataset.busy;
      buttons();
    }
  });
  return waiting;
};

// ---- What is shown
const show = (answer) => {
  const { plan, error, done } = answer;
  held = Boolean(answer.held);
  if (!held) late = "";
  state = {
    tables: answer.tables ?? state.tables, revisions: answer.revisions ?? state.revisions,
    before: answer.before ?? state.before, after: answer.after ?? (held ? [] : state.after), plan, error,
  };
  $("problem").replaceChildren(...(error ? [problem(error)] : []));
  if (done !== undefined || error) $("done").textContent = done ?? "";
  $("plan").classList.toggle("stale", !plan);
  if (plan) {
    showPlan($("changes"), plan);
    if (!plan.changes.length) $("changes").replaceChildren(make("li", { class: "hint" }, "Choose the next step, or change a file."));
    $("summary").textContent = summary(plan);
  } else {
    $("changes").replaceChildren();
    $("summary").textContent = held ? "Nothing was run yet." : "The models cannot be read yet.";
  }
  showRenames($("renames"), answer.renames ?? [], (one) =>
    act("create", { app: one.app, message: `rename ${one.old}`, renames: [one.text] }).then(openPending));
  $("size").textContent = answer.size ? `${Math.round(answer.size / 1024)} KB in this browser` : "";
  $("held").hidden = !held;
  $("held-says").textContent = late ||
    "These files come from a link or from an earlier visit. Read them; they run only when you say so.";
  if (!(open in files) && !revision(open)) open = APPS[0];
  tables();
  tree();
  draw($("before"), state.before, state.after, "−", "The database");
  draw($("after"), state.after, state.before, "+", "The models");
  if (!ready) {
    ready = true;
    $("boot").hidden = true;
    document.body.dataset.ready = "";
  }
};

const fail = (error) => {
  $("boot").hidden = true;
  $("problem").replaceChildren(problem({ code: "Python", what: String(error.message).trim().split("\n").at(-1) }));
};

const tables = () =>
  showTables($("tables"), state.tables, $("everything").checked, (table) => trusted && !held && act("add_row", { table }));

const tree = () => {
  const inside = [
    ...Object.keys(files).map((app) => ({ key: app, path: `${app}/models.py` })),
    ...state.revisions.map((one) => ({
      key: one.id, path: `${one.app}/migrations/versions/${one.file}`,
      badge: one.applied === undefined ? "STORED" : one.applied ? "APPLIED" : "PENDING",
    })),
  ];
  const more = APPS.find((app) => !(app in files));
  showTree($("tree"), inside, open, choose, more && (() => {
    files[more] = "";
    store();
    mark();
    choose(more);
    $("source").focus();
  }));
  const one = revision(open);
  const pending = one && one.applied === false;
  $("open-file").textContent = one ? `${one.app}/migrations/versions/${one.file}` : `${open}/models.py`;
  $("discard").hidden = !pending;
  source.show(one ? edits[one.id] ?? one.text : files[open] ?? "", { readOnly: Boolean(one) && !pending });
  const { error } = state;
  const here = error?.line && error.app === open;
  source.mark(here ? error.line : null);
  $("mistake").textContent = here ? `Line ${error.line}: ${error.what}` : "";
};

const choose = (key) => {
  open = key;
  tree();
};
const openPending = () => {
  const one = state.revisions.find(({ applied }) => applied === false);
  if (one) choose(one.id);
};

// Apps with a withheld change and no pending revision.
const creatable = () => {
  const pending = new Set(state.revisions.filter((one) => one.applied === false).map((one) => one.app));
  return (state.plan?.changes ?? []).filter((one) => one.withheld && !pending.has(one.app ?? APPS[0]));
};

const buttons = () => {
  // A click while the plan is made is not lost: what it asks for comes after.
  const busy = !["look", undefined].includes(document.body.dataset.busy);
  const changes = state.plan?.changes ?? [];
  const safe = changes.filter((one) => !one.withheld).length;
  const pending = state.revisions.some((one) => one.applied === false);
  const enable = (id, on) => $(id).setAttribute("aria-disabled", String(busy || held || !on));
  const risky = changes.length > safe;
  enable("sync", safe && !pending); // a pending revision may hold the same changes
  enable("create", creatable().length);
  enable("run", pending);
  enable("rollback", state.revisions.some((one) => one.applied) && !pending);
  enable("over", ready);
  const next = pending ? "run" : safe || !risky ? "sync" : "create";
  for (const id of ["sync", "create", "run"]) $(id).classList.toggle("primary", id === next);
  $("sync").textContent = safe ? `Sync ${safe} safe change${safe === 1 ? "" : "s"}` : "Sync";
};

const mark = () => {
  const kind = kindOf(files);
  document.querySelectorAll("[name=kind]").forEach((input) => (input.checked = input.value === kind));
  const current = stepOf(files);
  $("steps").replaceChildren(...EXAMPLES[kind].map((step, index) =>
    make("li", {}, make("button", {
      type: "button", class: "small", "aria-pressed": String(step === current), title: step.says, onclick: () => take(step),
    }, `${index + 1}. ${step.name}`))));
  $("says").textContent = current?.says ?? "Change anything: the plan follows as you type.";
};

// Goes to the files of an example, which may be run: they are the page's own.
const take = (step, action = held ? "open" : "look") => {
  files = { ...step.files };
  open = action === "look" && step.files.crm && !revision(open) ? "crm" : APPS[0];
  trusted = true;
  store();
  mark();
  tree();
  return act(action);
};

// ---- Wiring
const create = () => {
  const [first] = creatable();
  return act("create", { app: first.app ?? APPS[0], message: `${first.table} ${first.what}`.slice(0, 40).trim() }).then(openPending);
};
const start_over = () => {
  edits = {};
  return take(EXAMPLES[kindOf(files)][0], "start_over");
};
const trust = () => {
  trusted = true;
  return act("look");
};
const ACTIONS = {
  create, trust,
  sync: () => act("sync"),
  run: () => act("run"),
  rollback: () => act("rollback"),
  discard: () => act("discard", { revision: open }),
  over: start_over,
  fresh: start_over,
  stop: () => client.kill("late"),
  link: async () => {
    history.replaceState(null, "", await toLink(files));
    const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    $("done").textContent = copied ? "The link with your files is copied." : "The link with your files is in the address bar.";
  },
};
for (const [id, work] of Object.entries(ACTIONS)) {
  $(id).addEventListener("click", () => $(id).getAttribute("aria-disabled") === "true" || work());
}
$("everything").addEventListener("change", tables);
document.querySelectorAll("[name=kind]").forEach((input) =>
  input.addEventListener("change", () => take(EXAMPLES[input.value][0], "open"))); // each kind has a database of its own
$("source").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    $("sync").click();
  }
});

// Of the bar, downloads are the first part and starting Python the rest.
const DOWNLOADS = 0.6;
const STAGES = {
  boot: ["Unpacking modules", 0.8],
  ready: ["Reading the models", 0.9],
  import: ["Importing Framework M", 0.95],
};
client.addEventListener("progress", ({ detail: { stage, loaded, total } }) => {
  const bar = $("bar");
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  const [text, part] = STAGES[stage] ??
    (loaded < total
      ? [`Downloading ${megabytes(loaded)} of ${megabytes(total)} MB`, (DOWNLOADS * loaded) / total]
      : ["Starting Python", DOWNLOADS]);
  $("stage").textContent = text;
  bar.value = Math.max(bar.value, part);
});
client.addEventListener("dead", ({ detail }) => fail(new Error(detail)));
client.addEventListener("late", () => {
  late = "Your code did not come back, so Python was stopped. The database is as it was before. Change the code, then run it.";
  trusted = false;
  held = true;
  ready = false;
  delete document.body.dataset.ready;
  $("boot").hidden = false;
  $("bar").value = 0;
  client.start();
  act("open");
});

// Other tabs: what they type is typed here too, and what they do to the database is looked at.
const follow = () => {
  behind = document.hidden;
  if (!behind) act(held ? "open" : "look");
};
tabs.addEventListener("message", follow);
document.addEventListener("visibilitychange", () => behind && follow());
onTyped((typed) => {
  if (same(typed, files)) return;
  files = typed;
  if (!(open in files) && !revision(open)) open = APPS[0];
  mark();
  tree();
  follow();
});

const begin = async () => {
  const asked = new URLSearchParams(location.search);
  const example = EXAMPLES[asked.get("example")]?.[0].files;
  const linked = await fromLink(location.hash).catch(() => {
    $("stored").textContent = "The link is damaged: its files cannot be read.";
    return null;
  });
  files = { ...(linked ?? example ?? kept() ?? EXAMPLES.doctype[0].files) };
  trusted = Boolean(stepOf(files));
  mark();
  tree();
  buttons();
  await act("open");
};
client.patience = Number(new URLSearchParams(location.search).get("patience")) || 1;
client.start();
begin();
addEventListener("hashchange", () => location.reload());
