// The equivalent command line of what a tab does, ready to be copied.

import { el, icon } from "./dom.js";
import { SynthElement } from "./element.js";
import { announce, toast } from "./toast.js";

class Command extends SynthElement {
  build() {
    this.code = el("code", { text: this.textContent.trim() });
    this.button = el("button", { type: "button", class: "s-button s-small", "aria-label": "Copy the command" },
      icon("copy"), "Copy");
    this.button.addEventListener("click", () => this.copy());
    this.replaceChildren(
      el("div", { class: "s-command" }, el("span", { class: "s-command-title", text: "Same on the command line" }),
        el("pre", { tabindex: "0", "aria-label": "Equivalent command line" }, this.code), this.button));
    this.show(this.pending ?? this.code.textContent);
  }

  show(text) {
    this.pending = text;
    if (!this.code) return;
    this.code.textContent = text || "";
    this.hidden = !text;
  }

  async copy() {
    const text = this.code.textContent;
    try {
      await navigator.clipboard.writeText(text);
      announce("Command copied");
      this.button.lastChild.textContent = "Copied";
      setTimeout(() => { this.button.lastChild.textContent = "Copy"; }, 1500);
    } catch {
      getSelection().selectAllChildren(this.code);
      toast("The browser does not allow copying here; the command is selected, press Ctrl+C.");
    }
  }
}

customElements.define("synth-command", Command);
