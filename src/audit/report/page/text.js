// Text of the log: shown as it is, and what could deceive by its number. Never markup.

// What a reader cannot see, or what changes the order of what is read; the list of src/cli/term/escape.rs.
const DECEPTIVE = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f\\u2000-\\u200f" +
  "\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb" +
  "\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]", "gu");

function number(character) {
  const code = character.codePointAt(0);
  const named = { 9: "\\t", 10: "\\n", 13: "\\r" }[code];
  if (named) return named;
  return code < 128 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u{" + code.toString(16) + "}";
}

// As one string: for titles and options.
function plain(text) {
  return String(text).replace(DECEPTIVE, number);
}

// As nodes: what was escaped stands out, and the whole cannot reorder what is around it.
function shown(text, className) {
  const whole = make("bdi", className);
  whole.dir = "ltr";
  let from = 0;
  const source = String(text);
  for (const found of source.matchAll(DECEPTIVE)) {
    if (found.index > from) whole.append(source.slice(from, found.index));
    whole.append(make("span", "escaped", number(found[0])));
    from = found.index + found[0].length;
  }
  whole.append(source.slice(from));
  return whole;
}

// A path whose beginning may be cut, and whose end is always read.
function path(text, className) {
  const slash = text.lastIndexOf("/");
  const whole = make("span", "path " + (className || ""));
  whole.title = plain(text);
  if (slash > 0 && text.length > 24) {
    whole.append(shown(text.slice(0, slash), "path-head"), shown(text.slice(slash), "path-tail"));
  } else {
    whole.append(shown(text, "path-head"));
  }
  return whole;
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function id(name) {
  return document.getElementById(name);
}

function many(count, one, more) {
  return count.toLocaleString("en") + " " + (count === 1 ? one : more || one + "s");
}

// A length of time in milliseconds, in two digits that matter.
function span(ms) {
  if (ms < 0) return "-" + span(-ms);
  if (ms < 1) return Math.round(ms * 1000) + " µs";
  if (ms < 10) return ms.toFixed(1) + " ms";
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 10000) return (ms / 1000).toFixed(1) + " s";
  if (ms < 120000) return Math.round(ms / 1000) + " s";
  if (ms < 7200000) return Math.round(ms / 60000) + " min";
  if (ms < 172800000) return (ms / 3600000).toFixed(1) + " h";
  return Math.round(ms / 86400000) + " days";
}

// Milliseconds since 1970 with their fraction: Date alone would drop the microseconds.
function moment(time) {
  const whole = Date.parse(String(time).slice(0, 19) + "Z");
  const fraction = Number("0." + (String(time).slice(20).replace(/\D/g, "") || "0"));
  return Number.isFinite(whole) ? whole + fraction * 1000 : NaN;
}

function clock(ms) {
  if (!Number.isFinite(ms)) return "?";
  const at = new Date(ms);
  const pad = (value, digits) => String(value).padStart(digits || 2, "0");
  return at.getFullYear() + "-" + pad(at.getMonth() + 1) + "-" + pad(at.getDate()) + " " + pad(at.getHours()) + ":" +
    pad(at.getMinutes()) + ":" + pad(at.getSeconds()) + "." + pad(at.getMilliseconds(), 3);
}
