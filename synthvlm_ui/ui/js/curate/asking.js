// What is asked of the server and when: the fast parts of a view one request at a time, the slower ones at most ten times a
// second, what only matters at rest after the hand has stopped. Parts of closed panels are not asked for.

import { Latest, post } from "../api.js";

const LIVE_MS = 110;
const REST_MS = 280;
const FAST = ["yield", "histograms", "page"];

// Whether a hand still holds a line of a histogram.
export const isHeld = () => document.querySelector(".s-dragging") !== null;

// ``body()`` gives rule, find and page; ``live()`` and ``rest()`` name the parts wanted now.
export class Asking {
  constructor({ body, extras, live, rest, receive, fail }) {
    Object.assign(this, { body, extras, live, rest, needs: new Set(), wish: {}, at: null, liveTimer: 0, restTimer: 0, lastLive: 0 });
    this.fast = new Latest((_asked, sequence) => this.sendFast(sequence), (view) => receive(view, this.sent), (error) => fail(error, this.sent));
    this.slow = new Latest((payload) => post("curate/view", { ...this.body(), ...this.extras(), parts: payload.parts }), (view) => receive(view, {}),
      (error) => { if (error.status >= 500 || error.status === 0) fail(error, {}); });
  }

  // ``wish``: where the focus belongs when the page has come; ``at``: a rank or id whose page is wanted.
  ask({ parts = FAST, wish = {}, at = null } = {}) {
    for (const part of parts) this.needs.add(part);
    Object.assign(this.wish, wish);
    if (at) this.at = at;
    this.fast.ask({});
    this.askLive();
    this.askRest();
  }

  sendFast(sequence) {
    const parts = this.needs.size ? [...this.needs] : ["page"];
    const body = this.body();
    if (parts.includes("page") && Object.keys(body.find).length) parts.push("find");
    this.sent = { wish: this.wish, at: this.at, parts, where: body.rule.where, show: body.page.show, order: body.page.order };
    this.needs = new Set();
    this.wish = {};
    if (this.at) body.page.at = this.at;
    this.at = null;
    return post("curate/view", { ...body, ...this.extras(), parts, sequence });
  }

  askLive() {
    if (this.liveTimer) return;
    this.liveTimer = setTimeout(() => {
      this.liveTimer = 0;
      this.lastLive = performance.now();
      const parts = this.live();
      if (parts.length) this.slow.ask({ parts });
    }, Math.max(0, this.lastLive + LIVE_MS - performance.now()));
  }

  askRest() {
    clearTimeout(this.restTimer);
    this.restTimer = setTimeout(() => {
      if (isHeld()) this.askRest();
      else this.slow.ask({ parts: [...new Set([...this.live(), ...this.rest()])] });
    }, REST_MS);
  }
}
