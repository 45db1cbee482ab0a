// Who acts in this browser: the name the journal writes beside each decision. Made once, changed by its owner.

const KEY = "synthvlm.actor";
const MOST = 40;
const listeners = new EventTarget();
let name = "";
try { name = (localStorage.getItem(KEY) ?? "").slice(0, MOST); } catch { /* storage is off */ }
if (!name) rename(`guest-${Math.floor(Math.random() * 65536).toString(16).padStart(4, "0")}`);

export const actor = () => name;
export const onActor = (listener, signal) => listeners.addEventListener("change", listener, { signal });

export function rename(wanted) {
  const clean = wanted.trim().slice(0, MOST);
  if (!clean) return;
  name = clean;
  try { localStorage.setItem(KEY, name); } catch { /* storage is off: the name lasts as long as the page */ }
  listeners.dispatchEvent(new Event("change"));
}
