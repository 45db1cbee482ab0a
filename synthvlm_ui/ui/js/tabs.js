// Remembers the open tab in the address, so that a reload or a link opens the same one.

import { attempt, post } from "./api.js";
import { workspace } from "./workspace.js";

const NAMES = ["captions", "generate", "curate", "compare", "diversity", "export", "train"];

// On a narrow page gradio moves the last tabs into a menu, where they are plain buttons.
const TAB = "[role=tab], .overflow-dropdown button";
const buttonOf = (name) => [...document.querySelectorAll(TAB)]
  .find((tab) => tab.textContent.trim().toLowerCase() === name);

export function openTab(name) {
  buttonOf(name)?.click();
}

// Opens Curate on a rule and what of it is shown: the same as following a link to it.
export async function showInCurate(state) {
  const link = await attempt(() => post("curate/link", { state }));
  if (!link) return;
  location.hash = `#curate?${link.query}`;
  openTab("curate");
}

export const openedTab = () => {
  const name = location.hash.slice(1).split("?")[0];
  return NAMES.includes(name) ? name : null;
};

function note(tab) {
  const name = tab.textContent.trim().toLowerCase();
  if (!NAMES.includes(name)) return false;
  if (openedTab() !== name) history.replaceState(null, "", `#${name}`);
  return true;
}

export function rememberTabs() {
  document.addEventListener("click", (event) => {
    const tab = event.target instanceof Element && event.target.closest(TAB);
    if (tab && note(tab)) workspace.refresh();
  });
  const wanted = openedTab();
  // A tab may have been opened before this script was there.
  if (!wanted) document.querySelectorAll("[role=tab][aria-selected=true]").forEach(note);
  if (wanted) insist(wanted);
}

// Gradio mounts its tabs some time after the page, takes no click before, and may open the first one once more: ask until
// the tab has stayed open for a second, or the reader opens another one.
function insist(name) {
  let stayed = 0, tries = 0;
  const timer = setInterval(() => {
    tries += 1;
    const tab = buttonOf(name);
    if (openedTab() !== name || stayed >= 10 || tries > 150) { clearInterval(timer); return; }
    if (tab?.getAttribute("aria-selected") === "true" || tab?.classList.contains("selected")) { stayed += 1; return; }
    stayed = 0;
    tab?.click();
  }, 100);
}
