// Single-key commands of the grid, off inside text fields and switchable as a whole, and the list that explains them.

import { el, isTyping } from "./dom.js";

const KEY = "synthvlm.single_keys";
const LIST = [
  ["← ↑ → ↓", "move between candidates"], ["Home, End", "first, last of the page"],
  ["Page Up, Page Down", "previous, next page"], ["Enter", "open the candidate"], ["K", "keep"], ["R", "reject"],
  ["U", "clear the verdict"], ["Z", "undo"], ["Shift + Z", "redo"], ["?", "this list"],
];

export class Keys {
  // ``handle(key)`` returns true when the key did something; ``active()`` tells whether keys are wanted now.
  constructor({ handle, active }) {
    Object.assign(this, { handle, active });
    try { this.on = localStorage.getItem(KEY) !== "off"; } catch { this.on = true; }
    const toggle = el("input", { type: "checkbox", checked: this.on, onchange: () => this.switch(toggle.checked) });
    this.root = el("dialog", { class: "s-dialog s-keys", "aria-label": "Keys" },
      el("div", { class: "s-drawer-head" }, el("h2", { text: "Keys" }), el("button", { type: "button",
        class: "s-button s-small", text: "Close", onclick: () => this.root.close() })),
      el("dl", { class: "s-facts" }, LIST.flatMap(([key, what]) => [el("dt", {}, el("kbd", { text: key })),
        el("dd", { text: what })])),
      el("label", { class: "s-option" }, toggle, "Single-letter keys are on"),
      el("p", { class: "s-hint", text: "They are always off while you type in a field." }));
    this.root.addEventListener("click", (event) => { if (event.target === this.root) this.root.close(); });
  }

  listen(signal) {
    document.addEventListener("keydown", (event) => this.pressed(event), { signal });
  }

  switch(on) {
    this.on = on;
    try { localStorage.setItem(KEY, on ? "on" : "off"); } catch { /* storage is off */ }
  }

  pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || this.root.open) return;
    if (isTyping(event.target) || !this.active()) return;
    const letter = event.key.length === 1;
    if (letter && event.key !== "?" && !this.on) return;
    const key = letter && event.shiftKey && event.key.toLowerCase() === "z" ? "Z" : letter ? event.key.toLowerCase() : event.key;
    if (key === "?") this.root.showModal();
    else if (!this.handle(key, event.target)) return;
    event.preventDefault();
  }
}
