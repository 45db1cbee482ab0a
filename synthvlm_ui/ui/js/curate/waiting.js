// A line that says what the server is still finding out for a rule, and asks again until it has.

import { el } from "../dom.js";
import { percent } from "../format.js";

const AGAIN_MS = 1000;

// ``onagain(asked)`` when it is time to ask for the same parts again.
export class Waiting {
  constructor(onagain) {
    Object.assign(this, { onagain, timer: 0 });
    this.root = el("div", { class: "s-notice", role: "status", hidden: true }, el("span", { text: "Near-duplicates are being looked for. "
      + "What you see is from before; you can go on meanwhile." }), this.meter = el("progress", { max: 1, "aria-label": "Done" }), this.share = el("b"));
  }

  // Whether this is no answer yet.
  takes({ waiting, page, yield: counts }, { parts, wish, at }) {
    if (waiting && parts) this.show(waiting.share, { parts, wish, at });
    else if (page || counts) this.hide();
    return Boolean(waiting);
  }

  show(share, asked) {
    this.root.hidden = false;
    this.meter.value = share;
    this.share.textContent = percent(share);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.onagain(asked), AGAIN_MS);
  }

  hide() {
    clearTimeout(this.timer);
    this.root.hidden = true;
  }
}
