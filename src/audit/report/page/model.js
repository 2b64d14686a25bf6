// From the lines of the log to sessions, what happened between calls, calls, and what happened inside them.

const KINDS = [
  ["", "everything"], ["call", "calls"], ["file", "files"], ["network", "network"], ["program", "programs"],
  ["message", "messages"], ["syscall", "system calls"], ["log", "the session"],
];

function kindOf(event) {
  const name = event.event;
  if (name.startsWith("call.")) return "call";
  if (name === "file.access") return event.access === "execute" ? "program" : "file";
  if (name.startsWith("network.") || name.startsWith("socket.")) return "network";
  if (name.startsWith("process.")) return "program";
  if (name.startsWith("syscall.")) return "syscall";
  if (name.startsWith("session.") || name.startsWith("audit.")) return "log";
  return "message";
}

function isDenied(event) {
  return event.verdict === "deny" || event.event === "syscall.denied" || event.event === "message.denied";
}

// Refused, and no cause for worry: every program with threads asks for it, and goes on without.
function isUsual(event) {
  return event.reason === "syscall.unsupported";
}

function verb(event) {
  if (event.event === "file.access") return event.access || "access";
  return { "network.connect": "connect", "network.resolve": "resolve", "network.close": "close", "socket.unix": "socket",
    "process.start": "start", "process.exit": "exit", "syscall.denied": "system call", "message.denied": "message",
    "stdout.noise": "noise", "session.start": "begin", "session.end": "end", "session.exe": "digest",
    "tool.mismatch": "mismatch", "request.start": "asks the client", "request.end": "client answers", "tool.changed": "changed", "tool.defined": "defined",
    "confirm.asked": "asked", "confirm.answered": "answered", "audit.lost": "lost",
    "audit.degraded": "degraded" }[event.event] || event.event;
}

function target(event) {
  const host = event.host || event.address;
  const defined = typeof event.kind === "string" && [event.kind.replace("_", " "), event.name].filter(Boolean).join(" ");
  const tool = event.tool || defined || event.method;
  if (typeof event.path === "string") return event.path;
  if (event.syscall) return event.syscall;
  if (host) return event.port ? host + ":" + event.port : host;
  if (event.detail) return tool ? tool + ": " + event.detail : event.detail;
  if (tool) return tool;
  const status = event.status && JSON.stringify(event.status).replace(/[{}"]/g, "").replace(":", " ");
  return event.command || event.exe || event.excerpt || event.cause || event.reason || status || "";
}

// The calls that an event belongs to: its own, or those in flight.
function callsOf(event) {
  if (Number.isInteger(event.call)) return [event.call];
  return Array.isArray(event.calls) ? event.calls.filter(Number.isInteger) : [];
}

function leaf(event, parent) {
  return { is: "event", event, at: moment(event.time), parent, open: false, children: [], denied: isDenied(event),
    kind: kindOf(event), key: event.session + ":" + event.seq };
}

function branch(is, parent, at, key) {
  return { is, at, end: at, parent, open: false, children: [], denials: 0, usual: 0, key };
}

// Sessions in the order of the log, each with its tree.
function build(data) {
  const standings = new Map(data.sessions.map((session) => [session.session, session]));
  const sessions = [];
  let now = null;
  for (const event of data.events) {
    if (!now || now.name !== event.session) {
      now = session(event, standings.get(event.session));
      sessions.push(now);
    }
    place(now, event);
  }
  sessions.forEach(finish);
  return sessions;
}

function session(event, standing) {
  const made = branch("session", null, moment(event.time), event.session);
  return Object.assign(made, { name: event.session, server: event.server, standing, calls: new Map(), gap: null, start: null,
    finished: null, lost: 0 });
}

function place(now, event) {
  const one = leaf(event, now);
  if (Number.isFinite(one.at)) now.end = Math.max(now.end, one.at);
  if (event.event === "session.start") now.start = event;
  if (event.event === "session.end") now.finished = event;
  if (event.event === "audit.lost") now.lost += event.count || 0;
  if (event.event === "call.start") {
    const call = branch("call", now, one.at, one.key);
    Object.assign(call, { number: event.call, began: event, ended: null, tool: event.tool || event.method });
    now.calls.set(event.call, call);
    now.children.push(call);
    now.gap = null;
    return;
  }
  if (event.event === "session.end") {
    now.children.push(one);
    return;
  }
  const calls = callsOf(event).map((number) => now.calls.get(number)).filter(Boolean);
  if (event.event === "call.end" && calls.length) {
    calls[0].ended = event;
    calls[0].end = one.at;
    return;
  }
  // Several in flight: under the one that began last, and the row says that it may be another's.
  const owner = calls.length ? calls[calls.length - 1] : between(now, one);
  one.parent = owner;
  if (owner.is === "gap") owner.end = Math.max(owner.end, one.at || 0);
  owner.children.push(one);
  for (let above = owner; above; above = above.parent) {
    if (one.denied) above[isUsual(event) ? "usual" : "denials"] += event.count || 1;
  }
}

function between(now, one) {
  if (!now.gap) {
    now.gap = branch("gap", now, one.at, one.key + ":gap");
    now.gap.first = now.calls.size === 0;
    now.children.push(now.gap);
  }
  return now.gap;
}

function finish(now) {
  for (const child of now.children) {
    if (child.is === "call" && !child.ended) child.end = now.end;
    child.children = folded(child);
    child.open = child.denials > 0;
  }
  const last = now.children.findLastIndex((child) => child.is === "call");
  now.children.forEach((child, at) => { child.last = at > last; });
  now.open = true;
  now.axis = axis(now);
}

function isPlain(one) {
  const event = one.event;
  return one.kind === "file" && !one.denied && ["read", "list"].includes(event.access);
}

// Runs of files that were read as they may be become one row.
function folded(parent) {
  const rows = [];
  let run = [];
  const flush = () => {
    if (run.length < 4) rows.push(...run);
    else rows.push(fold(parent, run));
    run = [];
  };
  for (const one of parent.children) {
    if (isPlain(one)) run.push(one);
    else {
      flush();
      rows.push(one);
    }
  }
  flush();
  return rows;
}

function fold(parent, run) {
  const made = branch("fold", parent, run[0].at, run[0].key + ":fold");
  made.end = run[run.length - 1].at;
  made.children = run;
  run.forEach((one) => { one.parent = made; });
  made.below = common(run.map((one) => one.event.path || ""));
  return made;
}

// The folder that all lie below.
function common(paths) {
  let parts = paths[0].split("/").slice(0, -1);
  for (const path of paths) {
    const other = path.split("/");
    let same = 0;
    while (same < parts.length && parts[same] === other[same]) same++;
    parts = parts.slice(0, same);
  }
  return parts.join("/") || "/";
}
