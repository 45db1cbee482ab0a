// Who else decides here, and under which name oneself does.

import { actor, isLent, rename } from "../actor.js";
import { el, field } from "../dom.js";
import { toast } from "../toast.js";

export class People {
  constructor() {
    this.name = el("input", { maxlength: "40", required: true });
    this.dialog = el("dialog", { class: "s-dialog s-people-dialog", "aria-label": "Your name" }, el("h2", { text: "Your name" }),
      el("p", { class: "s-hint", text: "The journal writes it beside your verdicts. Undo takes back only your own." }),
      el("form", { class: "s-form", onsubmit: (event) => { event.preventDefault(); this.save(); } }, field("Name", this.name),
        el("div", { class: "s-row" }, el("button", { type: "submit", class: "s-button s-primary", text: "Use this name" }),
          el("button", { type: "button", class: "s-button", text: "Cancel", onclick: () => this.dialog.close() }))));
    this.own = el("button", { type: "button", class: "s-own-name", onclick: () => this.edit() });
    this.others = el("span", { class: "s-others s-subdued", role: "status" });
    this.root = el("div", { class: "s-people" }, this.own, this.others);
    this.show([]);
  }

  edit() {
    this.name.value = actor();
    this.dialog.showModal();
    this.name.select();
  }

  save() {
    rename(this.name.value);
    this.dialog.close();
    this.show(this.seen);
    toast(`Your verdicts are now ${actor()}’s.`);
  }

  // The last to come stand first.
  show(names) {
    this.seen = names;
    this.own.textContent = `you: ${actor()}`;
    this.own.disabled = isLent();
    this.own.title = isLent() ? "The name you are logged in with" : "Change your name";
    const others = names.filter((name) => name !== actor());
    this.others.textContent = others.length ? `also here: ${others.slice(0, 3).join(", ")}${others.length > 3 ? ` and ${others.length - 3} more` : ""}` : "";
    this.others.title = others.join(", ");
  }
}
