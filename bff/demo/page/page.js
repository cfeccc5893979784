// The page knows no token: it asks the gateway who is logged in, and calls the API with nothing but its cookie.

const element = (id) => document.getElementById(id);

class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? "The answer could not be read.");
    this.status = status;
    this.title = body.title ?? "That did not work";
    this.code = body.code ?? `HTTP ${status}`;
  }
}

async function call(path, options = {}) {
  const response = await fetch(path, {
    ...options,
    headers: { Accept: "application/json", ...options.headers },
  });
  if (response.ok) {
    return response.status === 204 ? null : response.json();
  }
  const type = response.headers.get("Content-Type") ?? "";
  throw new Problem(response.status, type.includes("json") ? await response.json() : {});
}

function showProblem(problem) {
  element("problem-title").textContent = problem.title ?? "The gateway cannot be reached";
  element("problem-detail").textContent = problem.message;
  element("problem-code").textContent = problem.code ?? "";
  element("problem").hidden = false;
}

async function attempt(action) {
  element("problem").hidden = true;
  try {
    await action();
  } catch (problem) {
    showProblem(problem);
    if (problem.status === 401) {
      await showSession();
    }
  }
}

function button(label, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.addEventListener("click", async () => {
    made.disabled = true;
    await attempt(action);
    made.disabled = false;
  });
  return made;
}

function cell(row, text, className = "") {
  const made = row.insertCell();
  made.textContent = text;
  made.className = className;
  return made;
}

function showRow(sheet) {
  const row = element("rows").insertRow();
  cell(row, sheet.day);
  cell(row, sheet.owner_name);
  const project = cell(row, sheet.project);
  if (sheet.note) {
    const note = document.createElement("small");
    note.textContent = sheet.note;
    project.append(note);
  }
  cell(row, sheet.hours, "number");
  cell(row, sheet.approved_by ? `approved by ${sheet.approved_by}` : sheet.status, sheet.status);
  const actions = document.createElement("div");
  actions.className = "actions";
  const path = `/api/timesheets/${sheet.id}`;
  // Offered to everyone on purpose: it is the API that says no, and its answer is shown.
  actions.append(
    button("Approve", () => call(`${path}/approve`, { method: "POST" }).then(showSheets)),
    button("Delete", () => call(path, { method: "DELETE" }).then(showSheets)),
  );
  row.insertCell().append(actions);
}

async function showSheets() {
  element("rows").replaceChildren();
  const { timesheets } = await call("/api/timesheets");
  timesheets.forEach(showRow);
  element("empty").hidden = timesheets.length > 0;
}

function minutes(seconds) {
  return `${Math.max(0, Math.round(seconds / 60))} min`;
}

async function showSession() {
  const session = await call("/bff/session");
  const inside = session.authenticated;
  element("login").hidden = inside;
  element("logout").hidden = !inside;
  element("welcome").hidden = inside;
  element("sheets").hidden = !inside;
  element("new").hidden = !inside;
  element("session-times").hidden = !inside;
  element("who").textContent = inside ? `Logged in as ${session.claims.name ?? session.claims.sub}` : "";
  if (inside) {
    element("session-times").textContent =
      `The session ends after ${minutes(session.idle_expires_in)} of idling, in ${minutes(session.expires_in)} at the latest.`;
  }
  return inside;
}

async function logOut() {
  const { logout_url: destination } = await call("/bff/logout", { method: "POST" });
  window.location.assign(destination);
}

async function addSheet(form) {
  const fields = Object.fromEntries(new FormData(form));
  await call("/api/timesheets", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...fields, hours: Number(fields.hours) }),
  });
  await showSheets();
  form.elements.project.value = "";
  form.elements.note.value = "";
}

element("add").elements.day.valueAsDate = new Date();
element("add").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => addSheet(event.target));
});
element("logout").addEventListener("click", () => attempt(logOut));

await attempt(async () => {
  if (await showSession()) {
    await showSheets();
  }
});
