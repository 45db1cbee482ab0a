// Decisions on their way to the journal: in the order of the keys, shown at once, taken back without limit.

import { attempt, post } from "../api.js";
import { el } from "../dom.js";
import { count, plural } from "../format.js";
import { announce, toast } from "../toast.js";
import { workspace } from "../workspace.js";

const SAID = { keep: "Kept", reject: "Rejected", clear: "Verdict cleared" };
const ASKED = { keep: "Keep", reject: "Reject", clear: "Clear the verdicts of" };

// ``ondone(answer)`` after each act reached the journal or failed.
export class Acts {
  constructor({ ondone }) {
    this.ondone = ondone;
    this.queue = Promise.resolve();
    this.waiting = 0;
    this.question = el("p");
    this.yes = el("button", { type: "button", class: "s-button s-primary" });
    this.dialog = el("dialog", { class: "s-dialog s-confirm", "aria-label": "Verdict for all results" }, el("h2", { text: "All results" }),
      this.question, el("div", { class: "s-row" }, this.yes, el("button", { type: "button", class: "s-button", text: "Cancel",
        onclick: () => this.dialog.close() })));
    this.yes.addEventListener("click", () => { this.dialog.close("yes"); });
  }

  // Decisions reach the journal one after another, however fast they come: undo takes back the latest.
  inTurn(act) {
    this.waiting += 1;
    const result = this.queue.then(() => attempt(act));
    this.queue = result.then(() => { this.waiting -= 1; });
    return result;
  }

  get allowed() {
    if (workspace.readOnly) toast("This server only shows the workspace.", "error");
    return !workspace.readOnly;
  }

  async one(ids, verdict) {
    const done = await this.inTurn(() => post("verdict", { ids, verdict }));
    if (done) announce(ids.length > 1 ? `${SAID[verdict]}: ${count(ids.length)}` : SAID[verdict]);
    this.ondone(done);
    return done;
  }

  // A range of ranks or everything that is shown, as one act.
  async many(all, verdict, expected) {
    const done = await this.inTurn(() => post("verdict", { all, verdict, ...(expected === null ? {} : { expected }) }));
    if (done) this.offerUndo(`${SAID[verdict]}: ${plural(done.changed, "candidate")}`);
    this.ondone(done);
    return done;
  }

  async all(all, verdict, total, words) {
    if (!this.allowed || !total) return;
    this.question.textContent = `${ASKED[verdict]} ${plural(total, "candidate")}: ${words}? This is one act; undo takes it back as a whole.`;
    this.yes.textContent = `${ASKED[verdict]} ${count(total)}`;
    this.dialog.returnValue = "";
    this.dialog.showModal();
    this.yes.focus();
    await new Promise((resolve) => { this.dialog.addEventListener("close", resolve, { once: true }); });
    if (this.dialog.returnValue === "yes") await this.many(all, verdict, total);
  }

  offerUndo(text) {
    const node = toast(text, "info");
    node.lastChild.before(el("button", { type: "button", class: "s-plain s-toast-act", text: "Undo", onclick: () => { node.remove(); this.back("undo"); } }));
  }

  async back(which) {
    if (!this.allowed) return;
    const result = await this.inTurn(() => post(which));
    const what = result?.[which === "undo" ? "undone" : "redone"];
    if (result) toast(what ? `${which === "undo" ? "Undone" : "Redone"}: ${what}` : `Nothing to ${which}`);
    this.ondone(result);
  }
}
