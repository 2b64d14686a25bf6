// The time axis of a session. Time in which nothing happened is cut to a narrow mark, so that calls of milliseconds
// can be seen in a session of hours; the marks say how much was cut.

const SHARE = 0.04; // of the session: idle time longer than this is cut
const MARK = 0.07; // of the busy time: how wide a cut is

function axis(session) {
  const busy = [];
  const add = (from, to) => Number.isFinite(from) && busy.push([from, Math.max(from, to)]);
  for (const child of session.children) {
    if (child.is === "call") add(child.at, child.end);
    else if (child.is === "event") add(child.at, child.at);
    else child.children.forEach((one) => add(one.at, one.is === "fold" ? one.end : one.at));
  }
  busy.sort((one, other) => one[0] - other[0]);
  if (!busy.length) return null;
  const whole = session.end - busy[0][0];
  const spans = [];
  for (const [from, to] of busy) {
    const last = spans[spans.length - 1];
    if (last && from - last[1] <= Math.max(whole * SHARE, 20)) last[1] = Math.max(last[1], to);
    else spans.push([from, to]);
  }
  return stretch(spans);
}

function stretch(spans) {
  const total = spans.reduce((sum, [from, to]) => sum + to - from, 0) || 1;
  const pieces = [];
  let at = 0;
  spans.forEach(([from, to], index) => {
    if (index > 0) {
      const before = spans[index - 1][1];
      pieces.push({ from: before, to: from, at, width: total * MARK, cut: true });
      at += total * MARK;
    }
    const width = Math.max(to - from, total * 0.02);
    pieces.push({ from, to, at, width, cut: false });
    at += width;
  });
  pieces.forEach((piece) => {
    piece.at /= at;
    piece.width /= at;
  });
  return pieces;
}

// Where on the axis a moment is, from 0 to 1.
function position(pieces, time) {
  if (!pieces || !Number.isFinite(time)) return 0;
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pieces[middle].from <= time) low = middle;
    else high = middle - 1;
  }
  const piece = pieces[low];
  const share = piece.to > piece.from ? (time - piece.from) / (piece.to - piece.from) : 0;
  return Math.min(1, Math.max(0, piece.at + Math.min(1, Math.max(0, share)) * piece.width));
}
