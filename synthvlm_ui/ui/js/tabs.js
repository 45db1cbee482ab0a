// Remembers the open tab in the address, so that a reload or a link opens the same one.

import { workspace } from "./workspace.js";

const NAMES = ["captions", "generate", "curate", "export"];

const buttonOf = (name) => [...document.querySelectorAll("[role=tab]")]
  .find((tab) => tab.textContent.trim().toLowerCase() === name);

export function openTab(name) {
  buttonOf(name)?.click();
}

export const openedTab = () => {
  const name = location.hash.slice(1).split("?")[0];
  return NAMES.includes(name) ? name : null;
};

export function rememberTabs() {
  document.addEventListener("click", (event) => {
    const tab = event.target instanceof Element && event.target.closest("[role=tab]");
    const name = tab?.textContent.trim().toLowerCase();
    if (!NAMES.includes(name)) return;
    if (openedTab() !== name) history.replaceState(null, "", `#${name}`);
    workspace.refresh();
  });
  const wanted = openedTab();
  if (wanted) whenThere(() => buttonOf(wanted), (tab) => tab.click());
}

function whenThere(find, use) {
  const found = find();
  if (found) return use(found);
  const observer = new MutationObserver(() => {
    const node = find();
    if (!node) return;
    observer.disconnect();
    use(node);
  });
  observer.observe(document.body, { childList: true, subtree: true });
}
