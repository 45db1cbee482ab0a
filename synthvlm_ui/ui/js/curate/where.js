// The filter expression, split into the bounds that histograms draw as lines and the rest that is written by hand.
// Bounds are parts of the expression (ssim <= 0.9), so a link, a command line and a saved view hold them too.

const BOUND = /^([A-Za-z_]\w*)\s*(<=|>=)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/;
const JOIN = /\s+and\s+/iy;
const OR = /\s+or\s+/iy;

// {bounds: {column: {min, max}}, rest}: ``columns`` are the names that have a histogram.
export function splitWhere(text, columns) {
  const bounds = {};
  const parts = topParts(text ?? "");
  if (parts === null) return { bounds, rest: text ?? "" };
  const rest = parts.filter((part) => {
    const [, column, sign, number] = BOUND.exec(part) ?? [];
    const key = sign === ">=" ? "min" : "max";
    if (!columns.includes(column) || bounds[column]?.[key] !== undefined) return true;
    (bounds[column] ??= {})[key] = Number(number);
    return false;
  });
  return { bounds, rest: rest.length === 1 && parts.length > 1 ? bare(rest[0]) : rest.join(" and ") };
}

export function joinWhere(bounds, rest) {
  const parts = Object.entries(bounds).flatMap(([column, { min = null, max = null }]) => [
    min === null ? null : `${column} >= ${min}`, max === null ? null : `${column} <= ${max}`]).filter(Boolean);
  const written = rest.trim();
  if (!written) return parts.join(" and ") || null;
  if (!parts.length) return written;
  return [...parts, topParts(written) === null || hasOr(written) ? `(${written})` : written].join(" and ");
}

// The parts joined by ``and`` outside parentheses and quotes; null where there is an ``or`` beside them, or no balance.
function topParts(text) {
  const parts = [];
  let start = 0;
  const found = walk(text, (at) => {
    if (matchAt(OR, text, at)) return "stop";
    const joint = matchAt(JOIN, text, at);
    if (!joint) return 0;
    parts.push(text.slice(start, at).trim());
    start = at + joint[0].length;
    return joint[0].length;
  });
  if (!found) return null;
  parts.push(text.slice(start).trim());
  return parts.filter(Boolean);
}

const hasOr = (text) => !walk(text, (at) => (matchAt(OR, text, at) ? "stop" : 0));

function walk(text, at) {
  let depth = 0, quote = "";
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place];
    if (quote) { if (sign === quote) quote = ""; continue; }
    if (sign === '"' || sign === "'") { quote = sign; continue; }
    if (sign === "(") depth += 1;
    if (sign === ")") depth -= 1;
    if (depth < 0) return false;
    if (depth > 0) continue;
    const taken = at(place);
    if (taken === "stop") return false;
    if (taken) place += taken - 1;
  }
  return depth === 0 && !quote;
}

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

// Parentheses that were only there because of the ``and`` beside them.
function bare(part) {
  if (!part.startsWith("(") || !part.endsWith(")")) return part;
  const inside = part.slice(1, -1);
  return hasBalance(inside) ? inside : part;
}

const hasBalance = (text) => walk(text, () => 0);
