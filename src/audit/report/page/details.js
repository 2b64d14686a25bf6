// What is known of one row, in full.

function details(node) {
  const body = id("details-body");
  body.replaceChildren();
  const title = id("details-title");
  title.replaceChildren(...heading(node));
  if (node.is === "event") body.append(...eventDetails(node.event));
  else if (node.is === "call") body.append(...callDetails(node));
  else if (node.is === "session") body.append(...sessionDetails(node));
  else body.append(make("p", "quiet", many(size(node), "event") + ", from +" + span(node.at - owner(node).at) + " to +" +
    span(node.end - owner(node).at)));
}

function heading(node) {
  if (node.is === "event") return [make("span", "verb", plain(verb(node.event)) + " "), shown(String(target(node.event)))];
  if (node.is === "call") return [make("span", "verb", "call " + node.number + " "), shown(node.tool || "")];
  if (node.is === "session") return [make("span", "verb", "session "), shown(node.server || "")];
  return label(node);
}

function eventDetails(event) {
  const parts = [];
  if (isDenied(event)) parts.push(verdict(event));
  parts.push(fields(event), commands(event));
  return parts;
}

const LAYERS = { landlock: "Landlock", seccomp: "seccomp", broker: "the broker", gate: "the gate", network: "the network" };

// Why it was refused, and what would allow it.
function verdict(event) {
  const box = make("div", "verdict");
  const line = make("p");
  line.append(make("strong", "", "Refused"), " by ", shown(LAYERS[event.layer] || event.layer || "?"), ": ", shown(event.reason || "?", "code"));
  box.append(line);
  if (event.remedy) {
    box.append(make("p", "quiet", "This line of the profile would allow it:"));
    const code = make("pre");
    code.append(shown(event.remedy));
    box.append(code);
  } else if (event.why_not) {
    const why = make("p");
    why.append("Nothing is proposed: ", shown(event.why_not));
    box.append(why);
  }
  return box;
}

function callDetails(node) {
  const parts = [fields(node.began)];
  if (node.ended) parts.push(make("h3", "", "Its end"), fields(node.ended));
  else parts.push(make("p", "bad", "The log has no end of this call."));
  parts.push(commands(node.began));
  return parts;
}

function sessionDetails(node) {
  const parts = [];
  const told = troubles(node);
  if (told.length) {
    const list = make("ul", "verdict");
    told.forEach((trouble) => list.append(item(trouble)));
    parts.push(list);
  }
  if (node.start) parts.push(fields(node.start));
  if (node.finished) parts.push(make("h3", "", "Its end"), fields(node.finished));
  parts.push(commands({ session: node.name }));
  return parts;
}

const ENVELOPE = ["v", "event"];

function fields(event) {
  const list = make("dl", "fields");
  for (const [name, value] of Object.entries(event)) {
    if (ENVELOPE.includes(name) || value === null) continue;
    list.append(make("dt", "", plain(name)));
    const cell = make("dd");
    cell.append(shown(name === "time" ? clock(moment(value)) : worded(value)));
    list.append(cell);
  }
  return list;
}

function worded(value) {
  return typeof value === "string" ? value : JSON.stringify(value).replace(/,"/g, ', "').replace(/":/g, '": ');
}

// The questions that follow, for a terminal.
function commands(event) {
  const box = make("div", "commands");
  box.append(make("h3", "", "On a terminal"));
  const name = plain(event.session);
  const lines = event.seq === undefined
    ? ["caponier audit timeline --session " + name, "caponier audit verify --session " + name]
    : ["caponier audit explain " + name + ":" + event.seq, "caponier audit timeline --session " + name];
  lines.forEach((line) => box.append(make("pre", "", line)));
  return box;
}
