// Builds elements. Data only ever becomes a text node or an attribute, never markup.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "text") node.textContent = value;
  else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") node[name] = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

let lastId = 0;
export const uniqueId = (stem) => `synth-${stem}-${++lastId}`;

// A labelled field: the label wraps nothing, so that hints can stand between it and the control.
export function field(label, control, hint = null) {
  control.id ||= uniqueId("field");
  const parts = [el("label", { for: control.id, text: label }), control];
  if (hint) {
    hint.id ||= uniqueId("hint");
    hint.classList.add("s-hint");
    control.setAttribute("aria-describedby", hint.id);
    parts.push(hint);
  }
  return el("div", { class: "s-field" }, parts);
}

export function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => el("option", { value, text, selected: value === chosen })));
  if (entries.some(([value]) => value === chosen)) select.value = chosen;
}

// One line that says what was not done and why.
export const refusal = (text) => el("p", { class: "s-result s-refused" }, el("span", { class: "s-mark s-reject", text: "✗" }),
  el("span", { text }));

export function isTyping(target) {
  if (!(target instanceof Element)) return false;
  const input = target.closest("input, textarea, select, [contenteditable=''], [contenteditable='true']");
  if (!input) return false;
  return !(input instanceof HTMLInputElement && ["button", "checkbox", "radio", "submit"].includes(input.type));
}

const ICONS = {
  check: "M3 8.5l3.2 3.2L13 4.8",
  cross: "M4 4l8 8M12 4l-8 8",
  undo: "M6 3L2.5 6.5 6 10M3 6.5h6.2a3.8 3.8 0 010 7.5H6",
  redo: "M10 3l3.5 3.5L10 10M13 6.5H6.800a3.8 3.8 0 000 7.5H10",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  down: "M8 2.500v8M4.500 7.500L8 11l3.500-3.500M3 13.500h10",
  copy: "M5.500 5.500V2.500h8v8h-3M2.500 5.500h8v8h-8z",
  clear: "M3 8h10",
  jobs: "M2.500 4h11M2.500 8h7M2.500 12h4",
  stop: "M4 4h8v8H4z",
  play: "M5 3l8 5-8 5z",
  find: "M7 2.500a4.500 4.500 0 100 9 4.500 4.500 0 000-9M10.300 10.300l3.200 3.200",
  warn: "M8 2.200l6.300 11.300H1.700zM8 6.500v3M8 11.400v.4",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "s-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
