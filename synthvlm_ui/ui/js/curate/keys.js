// Single-key commands of the grid: off inside text fields, switchable as a whole, each to be bound to another key, and
// the list that shows and changes them. What was chosen stays in this browser.

import { el, isTyping } from "../dom.js";
import { announce } from "../toast.js";

const SWITCH = "synthvlm.single_keys";
const BOUND = "synthvlm.keys";
const FIXED = [
  ["← ↑ → ↓", "move between candidates, over the edge to the next page"], ["Shift + arrows", "stretch a range"],
  ["Home, End", "first, last of the page"], ["Ctrl + Home, End", "first, last page"],
  ["Page Up, Page Down", "previous, next page"], ["Enter", "open the candidate"], ["Ctrl + A", "the whole page as a range"],
  ["Escape", "let go of the range"],
];
export const ACTIONS = [
  ["keep", "k", "keep"], ["reject", "r", "reject"], ["clear", "u", "clear the verdict"], ["undo", "z", "undo"],
  ["redo", "Z", "redo"], ["all", "A", "verdict for all results"], ["similar", "m", "more like this"],
  ["find", "/", "go to the search field"], ["jump", "g", "go to a rank"], ["list", "?", "this list"],
];
const DEFAULTS = Object.fromEntries(ACTIONS.map(([action, key]) => [action, key]));

export const shownKey = (key) => (key === " " ? "Space" : key.length === 1 && key !== key.toLowerCase()
  ? `Shift + ${key}` : key.toUpperCase());

export class Keys {
  // ``act(action)`` and ``move(key, event)`` return true when they did something; ``active()``: whether keys are wanted now.
  constructor({ act, move, active, onchange }) {
    Object.assign(this, { act, move, active, onchange, waiting: null });
    this.on = stored(SWITCH) !== "off";
    this.bound = { ...DEFAULTS, ...parsed(stored(BOUND)) };
    const toggle = el("input", { type: "checkbox", checked: this.on, onchange: () => this.switch(toggle.checked) });
    this.rows = el("dl", { class: "s-facts" });
    this.note = el("p", { class: "s-hint", role: "status" });
    this.root = el("dialog", { class: "s-dialog s-keys", "aria-label": "Keys" },
      el("div", { class: "s-drawer-head" }, el("h2", { text: "Keys" }), el("button", { type: "button",
        class: "s-button s-small", text: "Close", onclick: () => this.root.close() })),
      this.rows, el("dl", { class: "s-facts" }, FIXED.flatMap(([key, what]) => [el("dt", {}, el("kbd", { text: key })),
        el("dd", { text: what })])),
      this.note, el("div", { class: "s-row s-between" },
        el("label", { class: "s-option" }, toggle, "Single-letter keys are on"),
        el("button", { type: "button", class: "s-button s-small", text: "Reset the keys", onclick: () => this.reset() })),
      el("p", { class: "s-hint", text: "Press a key's button and then the new key. Keys are always off while you type in a field." }));
    this.root.addEventListener("click", (event) => { if (event.target === this.root) this.root.close(); });
    this.root.addEventListener("close", () => this.wait(null));
    this.root.addEventListener("keydown", (event) => this.caught(event));
    this.draw();
  }

  keyOf(action) { return shownKey(this.bound[action]); }
  open() { this.root.showModal(); }

  listen(signal) {
    document.addEventListener("keydown", (event) => this.pressed(event), { signal });
  }

  switch(on) {
    this.on = on;
    store(SWITCH, on ? "on" : "off");
  }

  draw() {
    this.rows.replaceChildren(...ACTIONS.flatMap(([action, , what]) => [
      el("dt", {}, el("button", { type: "button", class: "s-key", "data-action": action, "aria-label": `Change the key of “${what}”, now ${this.keyOf(action)}`,
        onclick: () => this.wait(action) }, el("kbd", { text: this.waiting === action ? "press a key" : this.keyOf(action) }))),
      el("dd", { text: what })]));
    this.onchange?.();
  }

  wait(action) {
    this.waiting = action;
    this.draw();
    if (action) {
      this.note.textContent = "Press the new key, or Escape to leave it.";
      this.rows.querySelector(`[data-action=${action}]`).focus();
    }
  }

  caught(event) {
    if (!this.waiting || event.ctrlKey || event.metaKey || event.altKey || event.key === "Shift") return;
    event.preventDefault();
    event.stopPropagation();
    const action = this.waiting;
    if (event.key.length !== 1) { // Escape, Tab, arrows and the like keep what they do
      this.note.textContent = "The key is as it was. Letters, digits and signs can be bound.";
      this.wait(null);
    } else {
      const other = ACTIONS.find(([name]) => name !== action && this.bound[name] === event.key)?.[0];
      if (other) this.bound[other] = this.bound[action]; // they change places, so that none is lost
      this.bound[action] = event.key;
      store(BOUND, JSON.stringify(this.bound));
      this.wait(null);
      this.note.textContent = other ? `Changed places with “${ACTIONS.find(([name]) => name === other)[2]}”.` : "Changed.";
      announce(this.note.textContent);
    }
    this.rows.querySelector(`[data-action=${action}]`).focus();
  }

  reset() {
    this.bound = { ...DEFAULTS };
    store(BOUND, JSON.stringify(this.bound));
    this.note.textContent = "All keys are as at first.";
    this.draw();
  }

  pressed(event) {
    if (event.defaultPrevented || event.altKey || this.root.open || isTyping(event.target) || !this.active()) return;
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey) {
      if (this.move(event.key, event)) event.preventDefault();
      return;
    }
    const action = this.actionOf(event);
    if (!action || (!this.on && action !== "list")) return;
    if (action === "list") this.open();
    else if (!this.act(action)) return;
    event.preventDefault();
  }

  // With Caps Lock a letter arrives as a capital without Shift: it means the small one.
  actionOf(event) {
    const letter = event.key.toLowerCase() !== event.key.toUpperCase();
    const key = !letter ? event.key : event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase();
    const find = (wanted) => ACTIONS.find(([name]) => this.bound[name] === wanted)?.[0];
    return find(key);
  }
}

function stored(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

function store(name, value) {
  try { localStorage.setItem(name, value); } catch { /* storage is off */ }
}

function parsed(text) {
  try {
    const found = JSON.parse(text) ?? {};
    return Object.fromEntries(Object.entries(found).filter(([name, key]) => name in DEFAULTS && typeof key === "string"
      && key.length === 1));
  } catch { return {}; }
}
