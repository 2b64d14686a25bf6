// One row of the timeline: what it says, and where it lies on the axis.

const MAX_TICKS = 60;
let laneWidth = 400; // as drawn last, in pixels

function chip(text, className, title) {
  const made = make("span", "chip " + (className || ""), text);
  if (title) made.title = title;
  return made;
}

function refusals(node) {
  const chips = [];
  if (node.denials) chips.push(chip(node.denials + " refused", "bad"));
  else if (node.usual) chips.push(chip(node.usual + " unsupported", "mute", "Refused, and usual: programs ask and go on without"));
  return chips;
}

function rowOf(node, session) {
  const row = make("div", "row is-" + node.is);
  row.setAttribute("role", "row");
  row.setAttribute("aria-level", String(level(node)));
  if (node.children.length) row.setAttribute("aria-expanded", String(node.open));
  const name = make("div", "name");
  name.setAttribute("role", "gridcell");
  const twist = make("span", node.children.length ? "twist" : "twist none", node.children.length ? "▸" : "");
  twist.setAttribute("aria-hidden", "true");
  name.append(twist, ...label(node));
  const meta = make("div", "meta");
  meta.setAttribute("role", "gridcell");
  meta.append(...chips(node));
  const lane = make("div", "lane");
  lane.setAttribute("role", "gridcell");
  lane.append(...marks(node, session));
  row.append(name, meta, lane);
  if (isGrave(node)) row.classList.add("denied");
  return row;
}

function isGrave(node) {
  return Boolean(node.denied) && !isUsual(node.event);
}

function level(node) {
  let depth = 1;
  for (let above = node.parent; above; above = above.parent) depth++;
  return depth;
}

function label(node) {
  switch (node.is) {
    case "session": return sessionLabel(node);
    case "call": return [make("span", "number", String(node.number)), shown(node.tool || "call", "tool")];
    case "gap": {
      const what = node.first ? "starting up" : node.last ? "after the last call" : "between calls";
      return [make("span", "aside", what)];
    }
    case "fold": return [make("span", "verb", "read"), make("span", "aside", node.children.length + " files below"),
      path(node.below)];
    default: return eventLabel(node);
  }
}

function sessionLabel(node) {
  const command = node.start ? node.start.command : node.name;
  return [shown(node.server || "?", "server"), shown(command || "", "command")];
}

function eventLabel(node) {
  const event = node.event;
  const what = String(target(event));
  const parts = [make("span", "verb", plain(verb(event)))];
  parts.push(what.startsWith("/") ? path(what) : shown(what, "target"));
  return parts;
}

function chips(node) {
  switch (node.is) {
    case "session": return sessionChips(node);
    case "call": return callChips(node);
    case "gap":
    case "fold": return [...refusals(node), chip(many(size(node), "event"), "mute")];
    default: return eventChips(node);
  }
}

function size(node) {
  return node.children.reduce((sum, child) => sum + (child.is === "event" ? 1 : size(child)), 0);
}

function sessionChips(node) {
  const standing = node.standing && node.standing.standing;
  const made = [];
  if (standing === "killed") made.push(chip("cut off", "bad"));
  else if (standing === "running") made.push(chip("running", "good"));
  else if (!node.finished) made.push(chip("end not known", "warn"));
  if (node.standing && node.standing.breaks.length) made.push(chip("does not verify", "bad"));
  made.push(...refusals(node), chip(many(node.calls.size, "call"), "mute"));
  made.push(make("span", "offset", span(node.end - node.at)));
  return made;
}

function callChips(node) {
  const made = refusals(node);
  const end = node.ended;
  const outcome = end ? end.outcome : "no answer";
  if (outcome !== "ok") made.push(chip(plain(outcome).replace("_", " "), outcome === "denied" ? "bad" : "warn"));
  const summary = (end && end.summary) || {};
  if (summary.files_written) made.push(chip(summary.files_written + " written", "mute"));
  if (summary.hosts && summary.hosts.length) made.push(chip(many(summary.hosts.length, "host"), "mute"));
  if (summary.files_read && made.length < 2) made.push(chip(summary.files_read + " read", "mute"));
  made.push(make("span", "offset", span(end && end.duration_us !== undefined ? end.duration_us / 1000 : node.end - node.at)));
  return made;
}

function eventChips(node) {
  const event = node.event;
  const made = [];
  if (node.denied) made.push(chip(plain(event.reason || "refused"), isUsual(event) ? "mute" : "bad"));
  else if (event.result && event.result !== "ok") made.push(chip(plain(event.result), "mute"));
  if (event.attribution === "overlap") made.push(chip("call " + callsOf(event).join(" or "), "warn"));
  if (event.count > 1) made.push(chip("×" + event.count, "mute"));
  const base = owner(node);
  made.push(make("span", "offset", "+" + span(Math.max(0, node.at - base.at))));
  return made;
}

// The call, or the session, that an event's time is counted from.
function owner(node) {
  let above = node.parent;
  while (above && above.is === "fold") above = above.parent;
  return above && above.is === "gap" ? above.parent : above || node;
}

function marks(node, session) {
  if (node.is === "session") return axisMarks(node.axis, node.at);
  const pieces = session.axis;
  const within = owner(node);
  if (node.is === "event" || node.is === "fold") {
    if (within.is === "call") return inside(node, within);
    return [...cuts(pieces), dot(position(pieces, node.at), isGrave(node))];
  }
  const from = position(pieces, node.at);
  const bar = make("span", "bar " + barClass(node));
  bar.style.left = percent(from);
  bar.style.width = "max(3px, " + percent(position(pieces, node.end) - from) + ")";
  return [...cuts(pieces), bar, ...ticks(node, pieces)];
}

function barClass(node) {
  if (node.is === "gap") return "idle";
  if (node.ended && node.ended.outcome === "denied") return "bad";
  return node.ended && node.ended.outcome === "ok" ? "" : "warn";
}

// In an opened call the lane is the call's own time.
function inside(node, call) {
  const length = call.end - call.at;
  const share = (time) => (length > 0 ? Math.min(1, Math.max(0, (time - call.at) / length)) : 0);
  const zoom = make("span", "zoom");
  if (node.is === "event") return [zoom, dot(share(node.at), isGrave(node))];
  const bar = make("span", "bar idle");
  bar.style.left = percent(share(node.at));
  bar.style.width = "max(3px, " + percent(share(node.end) - share(node.at)) + ")";
  return [zoom, bar];
}

function ticks(node, pieces) {
  const denied = [];
  const walk = (one) => {
    if (one.is !== "event") one.children.forEach(walk);
    else if (isGrave(one) && denied.length < MAX_TICKS) denied.push(one);
  };
  node.children.forEach(walk);
  return denied.map((one) => {
    const tick = make("span", "tick");
    tick.style.left = percent(position(pieces, one.at));
    return tick;
  });
}

function dot(at, denied) {
  const made = make("span", denied ? "dot bad" : "dot");
  made.style.left = percent(at);
  return made;
}

function cuts(pieces) {
  return (pieces || []).filter((piece) => piece.cut).map((piece) => {
    const made = make("span", "cut");
    made.style.left = percent(piece.at);
    made.style.width = percent(piece.width);
    return made;
  });
}

// The axis itself, in the session's row: round times where they fit, and how much was cut.
function axisMarks(pieces, start) {
  const made = cuts(pieces);
  let last = -1;
  const label = (at, text) => {
    if (at - last < 64 / laneWidth || at > 1 - 24 / laneWidth) return;
    const mark = make("span", at < 0.04 ? "scale first" : "scale", text);
    mark.style.left = percent(at);
    made.push(mark);
    last = at;
  };
  for (const piece of pieces || []) {
    if (piece.cut) {
      label(piece.at + piece.width / 2, "⋯ " + span(piece.to - piece.from));
      continue;
    }
    const step = round((piece.to - piece.from) / Math.max(1, piece.width * 8));
    for (let time = Math.ceil((piece.from - start) / step) * step; time <= piece.to - start; time += step) {
      label(position(pieces, start + time), time === 0 ? "0" : "+" + span(time));
    }
  }
  return made;
}

// The next 1, 2 or 5 times a power of ten.
function round(ms) {
  const power = 10 ** Math.floor(Math.log10(Math.max(ms, 0.001)));
  return power * [1, 2, 5, 10].find((times) => times * power >= ms);
}

function percent(share) {
  return (share * 100).toFixed(3) + "%";
}
