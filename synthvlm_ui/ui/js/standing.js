// How a job stands while somebody waits for it: a bar and a line, gone when it ends.

import { get } from "./api.js";
import { el } from "./dom.js";
import { progressBar } from "./progress_bar.js";
import { isActive, workspace } from "./workspace.js";

const EVERY_MS = 600;

export class Standing {
  constructor() {
    this.bar = progressBar();
    this.line = el("p", { class: "s-hint", role: "status" });
    this.root = el("div", { hidden: true }, this.bar, this.line);
  }

  // Waits for the end of the job and gives what is known of it then.
  async follow(job, title) {
    let now = null;
    this.root.hidden = false;
    workspace.refresh();
    while (now === null || isActive(now.state)) {
      await new Promise((done) => { setTimeout(done, EVERY_MS); });
      now = await get(`jobs/${job}`).catch(() => now);
      if (now === null) continue;
      this.bar.show(now.progress, title);
      this.line.textContent = now.state === "queued" ? "Waiting" : now.message || `${title}: ${now.done} of ${now.total}`;
    }
    this.root.hidden = true;
    this.line.textContent = "";
    workspace.refresh();
    return now;
  }
}
