// How numbers look: counts, times, sizes, and scores on the scale the reader chose.

const whole = new Intl.NumberFormat("en");
export const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));
export const plural = (n, noun, many = `${noun}s`) => `${count(n)} ${n === 1 ? noun : many}`;

export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  const value = 100 * share;
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  const hours = Math.floor(s / 3600);
  return hours < 48 ? `${hours} h ${Math.floor((s % 3600) / 60)} min` : `${Math.round(hours / 24)} days`;
}

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = n, unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function when(stamp) {
  const date = new Date(stamp);
  if (!stamp || Number.isNaN(date.getTime())) return stamp || "";
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

// The three scales CLIPScore is written in; the stored number is always the raw cosine.
export const SCALES = {
  cosine: { factor: 1, digits: 3, name: "cosine" },
  "x2.5": { factor: 2.5, digits: 3, name: "2.5 × cosine" },
  x100: { factor: 100, digits: 1, name: "100 × cosine" },
};

const listeners = new EventTarget();
const KEY = "synthvlm.clip_scale";
let chosen = "cosine";
try { chosen = SCALES[localStorage.getItem(KEY)] ? localStorage.getItem(KEY) : "cosine"; } catch { /* storage is off */ }

export const scaleName = () => chosen;
export const scale = () => SCALES[chosen];
export function chooseScale(name) {
  chosen = name;
  try { localStorage.setItem(KEY, name); } catch { /* storage is off */ }
  listeners.dispatchEvent(new Event("change"));
}
export const onScale = (listener, signal) => listeners.addEventListener("change", listener, { signal });

export function clip(cosine) {
  if (cosine === null || cosine === undefined) return "–";
  return (cosine * scale().factor).toFixed(scale().digits);
}
export const unit = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));
