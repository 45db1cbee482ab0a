// Who acts in this browser: the name the journal writes beside each decision. Made once, changed by its owner.

const KEY = "synthvlm.actor";
const MOST = 40;
const listeners = new EventTarget();
let name = "";
let lent = false; // the name of a login: the server writes it whatever the page says, so it cannot be changed here
try { name = (localStorage.getItem(KEY) ?? "").slice(0, MOST); } catch { /* storage is off */ }
if (!name) rename(`guest-${Math.floor(Math.random() * 65536).toString(16).padStart(4, "0")}`);

export const actor = () => name;
export const onActor = (listener, signal) => listeners.addEventListener("change", listener, { signal });

export const isLent = () => lent;
export function lend(login) {
  if (lent && name === login) return;
  lent = true;
  name = login;
  listeners.dispatchEvent(new Event("change"));
}

export function rename(wanted) {
  if (lent) return;
  const clean = wanted.trim().slice(0, MOST);
  if (!clean) return;
  name = clean;
  try { localStorage.setItem(KEY, name); } catch { /* storage is off: the name lasts as long as the page */ }
  listeners.dispatchEvent(new Event("change"));
}
