// Short messages that come and go, spoken by screen readers too.

import { el } from "./dom.js";

let area = null;
let voice = null;

function areas() {
  if (area?.isConnected) return;
  area = el("div", { class: "s-toasts" });
  voice = el("div", { class: "s-unseen", role: "status", "aria-live": "polite" });
  document.body.append(area, voice);
}

export function announce(text) {
  areas();
  voice.textContent = "";
  requestAnimationFrame(() => { voice.textContent = text; });
}

export function toast(text, kind = "info") {
  areas();
  const close = el("button", { type: "button", class: "s-plain", "aria-label": "Dismiss", text: "×" });
  const node = el("div", { class: `s-toast s-${kind}`, role: kind === "error" ? "alert" : "status" },
    el("span", { text }), close);
  close.addEventListener("click", () => node.remove());
  area.append(node);
  while (area.children.length > 4) area.firstChild.remove();
  const stay = kind === "error" ? 12000 : 3500;
  setTimeout(() => node.remove(), stay);
  return node;
}
