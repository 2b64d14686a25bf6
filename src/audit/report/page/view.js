// The page: what is known first, filters, the list of rows (only those in sight exist), keys, print.

const MAX_PRINTED = 4000;
const data = JSON.parse(id("data").textContent);
const sessions = build(data);
const grid = id("grid");
let visible = []; // {node, session}
let active = 0;
let matching = null; // the nodes that a filter lets through; null: all
let printed = false;

// ---- what has to be known first

function troubles(session) {
  const told = [];
  const known = session.standing;
  if (!known) return [["Its standing is not known", ""]];
  if (known.breaks.length) {
    const places = known.breaks.slice(0, 5).map((one) => one.file + (one.line ? ":" + one.line : "") + ": " + one.detail);
    told.push(["Its log was changed", places.join("; ")]);
  }
  if (!known.verified) told.push(["Its log could not be verified", ""]);
  known.notices.forEach((notice) => told.push(["To know", notice]));
  if (!session.start) told.push(["Its beginning is not in the log", "what was enforced is not known"]);
  return told;
}

function item([what, more], about) {
  const made = make("li");
  made.append(make("strong", "", what));
  if (about) made.append(" (", shown(about.server || "?"), " ", make("code", "", plain(about.name)), ")");
  if (more) made.append(": ", shown(more));
  return made;
}

function known() {
  const items = [];
  if (data.unverified) items.push(item(["The log could not be verified", data.unverified]));
  for (const found of (data.verified && data.verified.breaks) || []) items.push(item(["The log does not verify", found.detail]));
  for (const session of sessions) {
    if (items.length >= 40) break;
    troubles(session).forEach((trouble) => items.push(item(trouble, session)));
  }
  const out = data.omitted;
  const left = out.allowed + out.other + out.frames;
  if (left) {
    items.push(item(["This page does not hold everything", many(left, "line") + " of the log did not fit: " +
      many(out.allowed, "allowed access", "allowed accesses") + ", " + many(out.other, "other event") + ", " +
      many(out.frames, "line") + " of sessions and calls. The numbers below count them."]));
  }
  for (const note of data.notes) items.push(item(["The log has more than events", note]));
  if (data.more_notes) items.push(item(["And more", many(data.more_notes, "further note")]));
  const box = id("known");
  box.hidden = items.length === 0;
  const list = make("ul");
  list.append(...items);
  box.replaceChildren(list);
  const grave = data.unverified || (data.verified && !data.verified.ok) ||
    sessions.some((one) => one.standing && (one.standing.breaks.length || !one.standing.verified || one.standing.standing === "killed"));
  box.classList.toggle("bad", Boolean(grave));
}

function numbers() {
  const total = data.totals;
  const tiles = [
    ["session", "sessions", data.sessions.length], ["call", "calls", total.calls],
    ["file read", "files read", total.read], ["change of files", "changes of files", total.written],
    ["program started", "programs started", total.programs], ["connection", "connections", total.connections],
    ["refusal", "refusals", total.denied - total.usual],
  ];
  for (const [one, more, count] of tiles) {
    const tile = make("div", more === "refusals" && count ? "tile bad" : "tile");
    const label = make("dt", "", count === 1 ? one : more);
    if (more === "refusals" && total.usual) {
      label.append(", " + total.usual.toLocaleString("en") + " usual ones aside");
      label.title = "syscall.unsupported: every program with threads asks for it, and goes on without";
    }
    tile.append(make("dd", "", count.toLocaleString("en")), label);
    id("tiles").append(tile);
  }
}

function titles() {
  const servers = [...new Set(sessions.map((session) => session.server))];
  const title = servers.length < 5 ? servers.join(", ") : many(servers.length, "server");
  id("title").replaceChildren(sessions.length ? shown(title) : "Nothing matches");
  document.title = (sessions.length ? plain(title) : "nothing") + " · caponier report";
  const first = Math.min(...sessions.map((session) => session.at));
  const last = Math.max(...sessions.map((session) => session.end));
  const parts = sessions.length ? [clock(first).slice(0, 19) + " – " + clock(last).slice(0, 19)] : [];
  if (data.asked) parts.push("asked for: " + plain(data.asked));
  id("period").textContent = parts.join(" · ");
  const foot = ["Made " + clock(moment(data.made)).slice(0, 19) + " by caponier " + data.caponier + ". Times are those of the reader's machine."];
  if (data.verified) foot.push("Verified up to line " + data.verified.heads + " of heads.jsonl, whose digest was " + data.verified.head + ".");
  foot.push("Inside an opened call the lane is the call's own time. ⋯ marks time in which nothing happened.");
  id("foot").replaceChildren(...foot.map((text) => make("p", "", text)));
}

// ---- refusals, grouped

function refused() {
  const groups = new Map();
  for (const event of data.events) {
    if (!isDenied(event)) continue;
    const key = event.reason + "\n" + target(event);
    const group = groups.get(key) || { event, times: 0 };
    group.times += event.count || 1;
    groups.set(key, group);
  }
  const order = (group) => (isUsual(group.event) ? 1e12 : 0) - group.times;
  const sorted = [...groups.values()].sort((one, other) => order(one) - order(other));
  id("refused").hidden = sorted.length === 0;
  for (const group of sorted.slice(0, 10)) {
    const row = make("button", isUsual(group.event) ? "group usual" : "group");
    row.type = "button";
    const what = String(target(group.event));
    row.append(make("span", "times", "×" + group.times.toLocaleString("en")), make("span", "verb", plain(verb(group.event))),
      what.startsWith("/") ? path(what) : shown(what, "target"), shown(group.event.reason || "?", "code"));
    row.addEventListener("click", () => {
      id("text").value = what;
      id("filters").elements.verdict.value = "deny";
      filter();
      grid.focus();
    });
    const entry = make("li");
    entry.append(row);
    id("refused-list").append(entry);
  }
  if (sorted.length > 10) id("refused-list").append(make("li", "quiet", "and " + many(sorted.length - 10, "further kind")));
}

// ---- filters

function options(select, values, all) {
  const option = (value, text) => {
    const made = make("option", "", text);
    made.value = value;
    return made;
  };
  select.replaceChildren(option("", all), ...values.map((value) => option(value, plain(value))));
}

function setUpFilters() {
  const distinct = (values) => [...new Set(values)].filter(Boolean).sort();
  options(id("server"), distinct(sessions.map((session) => session.server)), "all servers");
  options(id("tool"), distinct(sessions.flatMap((session) => [...session.calls.values()].map((call) => call.tool))), "all tools");
  id("kind").replaceChildren(...KINDS.map(([value, text]) => {
    const made = make("option", "", text);
    made.value = value;
    return made;
  }));
  const form = id("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  id("clear").addEventListener("click", () => {
    form.reset();
    filter();
    id("text").focus();
  });
}

function asked() {
  const form = id("filters").elements;
  return { text: id("text").value.trim().toLowerCase(), server: form.server.value, tool: form.tool.value, kind: form.kind.value,
    verdict: form.verdict.value };
}

function haystack(node) {
  if (node.words === undefined) {
    const event = node.is === "call" ? node.began : node.event;
    node.words = [target(event), event.asked, event.reason, event.exe, event.tool, event.address, event.command, event.detail]
      .filter(Boolean).join("\n").toLowerCase();
  }
  return node.words;
}

function filter() {
  const want = asked();
  const any = Object.values(want).some(Boolean);
  matching = any ? new Set() : null;
  for (const session of any ? sessions : []) {
    if (want.server && session.server !== want.server) continue;
    if (sift(session, want, null)) matching.add(session);
  }
  active = 0;
  flatten();
  window.scrollTo({ top: Math.min(window.scrollY, Math.max(0, gridTop() - stickyHeight())) });
}

// Whether something below a node passes; a node without children passes by itself.
function sift(node, want, tool) {
  const of = node.is === "call" ? node.tool : tool;
  let kept = false;
  for (const child of node.children) kept = sift(child, want, of) || kept;
  if (node.is === "event") kept = passes(node, want, of);
  if (node.is === "call" && !want.verdict) kept = kept || passes({ ...node, kind: "call", denied: false }, want, of);
  if (node.is === "call" && want.verdict === "deny" && node.ended && node.ended.outcome === "denied") {
    kept = kept || passes({ ...node, kind: "call", denied: true }, want, of);
  }
  if (kept) matching.add(node);
  return kept;
}

function passes(node, want, tool) {
  if (want.tool && tool !== want.tool && !(node.event && node.event.tool === want.tool)) return false;
  if (want.kind && node.kind !== want.kind) return false;
  if (want.verdict === "deny" && !node.denied) return false;
  if (want.verdict === "allow" && (node.denied || node.kind === "log")) return false;
  return !want.text || haystack(node).includes(want.text);
}

// ---- rows

function flatten() {
  visible = [];
  const add = (node, session) => {
    if (matching && !matching.has(node)) return;
    visible.push({ node, session });
    // What a filter found is in sight; what was folded by hand stays folded.
    const open = matching ? !node.shut : node.open;
    if (open) node.children.forEach((child) => add(child, session));
  };
  sessions.forEach((session) => add(session, session));
  active = Math.min(active, Math.max(0, visible.length - 1));
  const events = visible.filter((row) => row.node.is === "event").length;
  const all = data.events.length;
  id("count").textContent = matching
    ? many(visible.length, "row") + ", " + many(events, "event") + " match" + (events === 1 ? "es" : "")
    : many(all, "event") + " in " + many(sessions.length, "session");
  draw();
}

function rowHeight() {
  return Number.parseFloat(getComputedStyle(grid).getPropertyValue("--row")) || 32;
}

function gridTop() {
  return grid.getBoundingClientRect().top + window.scrollY;
}

function stickyHeight() {
  const bar = id("filters");
  return getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
}

function draw() {
  if (printed) return;
  const height = rowHeight();
  const lane = grid.querySelector(".lane");
  if (lane && lane.clientWidth) laneWidth = lane.clientWidth;
  const top = window.scrollY - gridTop();
  const from = Math.max(0, Math.floor(top / height) - 12);
  const to = Math.min(visible.length, Math.ceil((top + window.innerHeight) / height) + 12);
  grid.style.height = Math.max(1, visible.length) * height + "px";
  grid.setAttribute("aria-rowcount", String(visible.length));
  const rows = [];
  for (let index = from; index < to; index++) rows.push(rowAt(index, height));
  grid.replaceChildren(...rows);
  if (!visible.length) grid.append(make("p", "nothing", "Nothing matches."));
  mark();
}

function rowAt(index, height) {
  const { node, session } = visible[index];
  const row = rowOf(node, session);
  row.id = "row-" + index;
  row.dataset.index = String(index);
  row.setAttribute("aria-rowindex", String(index + 1));
  row.classList.toggle("is-open", expanded(node));
  if (node.children.length) row.setAttribute("aria-expanded", String(expanded(node)));
  if (height) row.style.top = index * height + "px";
  return row;
}

function mark() {
  grid.querySelectorAll(".active").forEach((row) => {
    row.classList.remove("active");
    row.removeAttribute("aria-selected");
  });
  const row = id("row-" + active);
  if (row) {
    row.classList.add("active");
    row.setAttribute("aria-selected", "true");
    grid.setAttribute("aria-activedescendant", row.id);
  } else grid.removeAttribute("aria-activedescendant");
}

function expanded(node) {
  return matching ? !node.shut : node.open;
}

function toggle(node, open) {
  if (!node.children.length) return;
  node.open = open;
  node.shut = !open;
  const here = node;
  flatten();
  active = Math.max(0, visible.findIndex((row) => row.node === here));
  mark();
}

function move(to) {
  active = Math.max(0, Math.min(visible.length - 1, to));
  const height = rowHeight();
  const top = gridTop() + active * height;
  const above = window.scrollY + stickyHeight();
  const below = window.scrollY + window.innerHeight;
  if (top < above) window.scrollTo({ top: top - stickyHeight() - height });
  else if (top + height > below) window.scrollTo({ top: top + 2 * height - window.innerHeight });
  draw();
}

// ---- keys and pointers

function openDetails(focus) {
  const row = visible[active];
  if (!row) return;
  details(row.node);
  id("details").hidden = false;
  document.body.classList.add("with-details");
  draw();
  if (focus) id("details-title").focus();
}

function closeDetails() {
  if (id("details").hidden) return;
  id("details").hidden = true;
  document.body.classList.remove("with-details");
  draw();
  grid.focus({ preventScroll: true });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const row = visible[active];
  const page = Math.max(1, Math.floor(window.innerHeight / rowHeight()) - 3);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (event.key in moves) move(active + moves[event.key]);
  else if (event.key === "ArrowRight" && row) {
    if (row.node.children.length && !expanded(row.node)) toggle(row.node, true);
    else if (row.node.children.length) move(active + 1);
  } else if (event.key === "ArrowLeft" && row) {
    if (row.node.children.length && expanded(row.node)) toggle(row.node, false);
    else if (row.node.parent) move(visible.findIndex((one) => one.node === row.node.parent));
  } else if (event.key === "Enter" || event.key === " ") openDetails(true);
  else return;
  event.preventDefault();
}

function onClick(event) {
  const row = event.target.closest(".row");
  if (!row) return;
  active = Number(row.dataset.index);
  const node = visible[active].node;
  mark();
  if (event.target.closest(".twist") || node.is === "gap" || node.is === "fold") toggle(node, !expanded(node));
  else openDetails(false);
}

function onPageKey(event) {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !typing) {
    event.preventDefault();
    id("text").focus();
  } else if (event.key === "Escape") closeDetails();
}

// ---- print: every row of the view, not only those in sight

function beforePrint() {
  printed = true;
  grid.style.height = "auto";
  grid.replaceChildren(...visible.slice(0, MAX_PRINTED).map((_, index) => rowAt(index, 0)));
  const left = visible.length - MAX_PRINTED;
  id("cut").textContent = left > 0 ? many(left, "further row") + " of this view are not printed; a filter makes it shorter." : "";
}

function afterPrint() {
  printed = false;
  draw();
}

known();
numbers();
titles();
refused();
setUpFilters();
flatten();
// A row that is replaced between press and release is never clicked: what is pressed stays until it is let go.
let waiting = false;
let pressed = false;
const later = () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    if (pressed) return;
    waiting = false;
    draw();
  });
};
const letGo = () => {
  pressed = false;
  if (!waiting) return;
  waiting = false;
  later();
};
grid.addEventListener("pointerdown", () => { pressed = true; });
window.addEventListener("pointerup", letGo);
window.addEventListener("pointercancel", letGo);
window.addEventListener("scroll", later, { passive: true });
window.addEventListener("resize", later);
window.addEventListener("beforeprint", beforePrint);
window.addEventListener("afterprint", afterPrint);
grid.addEventListener("keydown", onKey);
grid.addEventListener("click", onClick);
document.addEventListener("keydown", onPageKey);
id("close").addEventListener("click", closeDetails);
document.documentElement.classList.add("ready");
