// The page: what was typed goes to the worker, what the worker answers is shown. One action at a time.
import { Client } from "./client.js";
import { editor } from "./editor.js";
import { EXAMPLES, kindOf } from "./examples.js";
import { make, problem, showPlan, showTables, summary } from "./view.js";

const KEPT = "framework-m-playground";
const PAUSE = 250; // milliseconds without a key before the plan is made
const $ = (id) => document.getElementById(id);
const client = (globalThis.client = new Client());
const asked = new URLSearchParams(location.search).get("example");

const kept = () => {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage is switched off; the examples are there
  }
};
const keep = (text) => {
  try {
    localStorage.setItem(KEPT, text);
  } catch {
    $("stored").textContent = "This browser keeps no text: a reload begins with the example.";
  }
};

let state = { tables: [], revisions: [], plan: null };
let ready = false;
let typing;
let waiting = Promise.resolve();
const revisions = new Map(); // id to its editor

const source = editor($("source"), (text) => {
  keep(text);
  mark();
  clearTimeout(typing);
  typing = setTimeout(() => act("look"), PAUSE);
});

// ---- Actions
const PYTHON = ["models.py", "rows.py", "engine.py"];

const prepare = async () => {
  for (const name of PYTHON) {
    const text = await (await fetch(name)).text();
    await client.run("open('/packages/' + name, 'w').write(text)", { name, text });
  }
  await client.run("import importlib; importlib.invalidate_caches()");
};

const call = async (name, ...rest) => {
  const text = source.value;
  if (kindOf(text) === "doctype") await client.run("await unpack('doctypes.zip')");
  const answer = await client.run(
    "import engine\nawait getattr(engine, name)(source, *rest)",
    { name, source: text, rest },
  );
  return JSON.parse(answer);
};

const act = (name, ...rest) => {
  waiting = waiting.then(async () => {
    document.body.dataset.busy = name;
    buttons();
    try {
      show(await call(name, ...rest));
    } catch (error) {
      fail(error);
    } finally {
      delete document.body.dataset.busy;
      buttons();
    }
  });
  return waiting;
};

// ---- What is shown
const show = (answer) => {
  const { plan, error, done } = answer;
  $("problem").replaceChildren(...(error ? [problem(error)] : []));
  $("done").textContent = done ?? "";
  if (answer.tables) state.tables = answer.tables;
  if (answer.revisions) state.revisions = answer.revisions;
  state.plan = plan;
  $("plan").classList.toggle("stale", !plan);
  if (plan) {
    showPlan($("changes"), plan);
    $("summary").textContent = summary(plan);
  } else $("summary").textContent = "The class cannot be read yet.";
  $("size").textContent = answer.size ? `${Math.round(answer.size / 1024)} KB in this browser` : "";
  tables();
  showRevisions();
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
  showTables($("tables"), state.tables, $("everything").checked, (name) => act("add_row", name));

const showRevisions = () => {
  $("revisions").hidden = !state.revisions.length;
  for (const id of revisions.keys()) if (!state.revisions.some((one) => one.id === id && !one.applied)) revisions.delete(id);
  $("revision-list").replaceChildren(...state.revisions.map((one) => {
    if (one.applied) {
      return make("li", { class: "revision" },
        make("details", {},
          make("summary", {}, make("span", { class: "badge safe" }, "APPLIED"), ` ${one.message} `, make("code", {}, one.id)),
          make("pre", { tabindex: "0" }, make("code", {}, one.text))));
    }
    const area = make("textarea", { spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", id: `revision-${one.id}` });
    area.value = revisions.get(one.id)?.value ?? one.text;
    const item = make("li", { class: "revision" },
      make("div", { class: "bar" },
        make("label", { for: `revision-${one.id}` }, make("span", { class: "badge warning" }, "PENDING"), ` ${one.message} `, make("code", {}, one.id)),
        make("button", { type: "button", class: "small", onclick: () => act("discard", one.id) }, "Delete it")),
      make("p", { class: "hint" }, "Tick off its review list: change the text here where rows need a value, then run it."),
      make("div", { class: "editor" }, area));
    revisions.set(one.id, editor(area));
    return item;
  }));
};

const buttons = () => {
  const busy = "busy" in document.body.dataset;
  const changes = state.plan?.changes ?? [];
  const safe = changes.filter((one) => !one.withheld).length;
  const pending = state.revisions.some((one) => !one.applied);
  const enable = (id, on) => $(id).setAttribute("aria-disabled", String(busy || !on));
  const risky = changes.length > safe;
  enable("sync", safe && !pending); // a pending revision may hold the same changes
  enable("create", risky && !pending);
  enable("run", pending);
  enable("rollback", state.revisions.some((one) => one.applied) && !pending);
  enable("over", ready);
  const next = pending ? "run" : safe || !risky ? "sync" : "create";
  for (const id of ["sync", "create", "run"]) $(id).classList.toggle("primary", id === next);
  $("sync").textContent = safe ? `Sync ${safe} safe change${safe === 1 ? "" : "s"}` : "Sync";
};

const mark = () => {
  const kind = kindOf(source.value);
  document.querySelectorAll("[name=kind]").forEach((input) => (input.checked = input.value === kind));
  $("steps").replaceChildren(...EXAMPLES[kind].map((step, index) =>
    make("li", {}, make("button", {
      type: "button", class: "small", "aria-pressed": String(step.text === source.value), title: step.says,
      onclick: () => choose(step.text, step.says),
    }, `${index + 1}. ${step.name}`))));
  $("says").textContent = EXAMPLES[kind].find((step) => step.text === source.value)?.says ?? "Change anything: the plan follows as you type.";
};

const choose = (text) => {
  source.value = text;
  keep(text);
  mark();
  act("look");
};

// ---- Wiring
const message = () => {
  const [first] = (state.plan?.changes ?? []).filter((one) => one.withheld);
  return first ? `${first.table} ${first.what}`.slice(0, 40).trim() : "change";
};
const ACTIONS = {
  sync: () => act("sync"),
  create: () => act("create", message()).then(() => $("revisions").scrollIntoView({ block: "nearest" })),
  run: () => act("run", Object.fromEntries([...revisions].map(([id, one]) => [id, one.value]))),
  rollback: () => act("rollback"),
  over: () => act("start_over"),
};
for (const [id, work] of Object.entries(ACTIONS)) {
  $(id).addEventListener("click", () => $(id).getAttribute("aria-disabled") === "true" || work());
}
$("everything").addEventListener("change", tables);
document.querySelectorAll("[name=kind]").forEach((input) =>
  input.addEventListener("change", () => choose(EXAMPLES[input.value][0].text)));
$("source").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    $("sync").click();
  }
});

// Of the bar, downloads are the first part and starting Python the rest.
const DOWNLOADS = 0.6;
const STAGES = {
  boot: ["Unpacking modules", 0.7],
  ready: ["Importing SQLAlchemy and the engine", 0.8],
  import: ["Importing Framework M", 0.9],
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

source.value = EXAMPLES[asked]?.[0].text ?? kept() ?? EXAMPLES.doctype[0].text;
mark();
buttons();
client.start();
prepare().then(() => act("look"), fail);
