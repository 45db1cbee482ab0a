// The pictures of the grid's tiles. Those in the window come together in one answer, those near it once the hand rests: a
// request for each would keep page and server busy with requests while a threshold is dragged. What has been here stays at
// hand. Knows tiles, not candidates.

import { post, thumb } from "../api.js";

const AT_ONCE = 48;
const KEPT = 1000; // of some 10 kB each
const REST_MS = 150;
const NEAR_PX = 1000;

export class Pictures {
  constructor() {
    Object.assign(this, { known: new Map(), under: new Set(), shown: new Map(), inWindow: new Set(), near: new Set(), timer: 0 });
    this.watchers = [this.watcher(this.inWindow, 0, () => this.load(this.inWindow)),
      this.watcher(this.near, NEAR_PX, () => this.loadNearSoon())];
  }

  watcher(inside, margin, found) {
    return new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) inside.add(target.tile);
        else inside.delete(target.tile);
      }
      found();
    }, { rootMargin: `${margin}px 0px` });
  }

  watch(tile) { for (const watcher of this.watchers) watcher.observe(tile.root); }

  // The tiles show other candidates now.
  turn(tiles) {
    this.shown = new Map(tiles.map((tile) => [tile.id, tile]));
    for (const request of this.under) if (!request.ids.some((id) => this.shown.has(id))) request.abort.abort();
    this.load(this.inWindow);
    this.loadNearSoon();
  }

  loadNearSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(this.near), REST_MS);
  }

  load(tiles) {
    const lacking = [];
    for (const tile of tiles) {
      if (tile.drawn || this.shown.get(tile.id) !== tile) continue;
      const picture = this.known.get(tile.id);
      if (picture) this.draw(tile.id, picture);
      else if (![...this.under].some((request) => request.ids.includes(tile.id))) lacking.push(tile.id);
    }
    for (let at = 0; at < lacking.length; at += AT_ONCE) this.ask(lacking.slice(at, at + AT_ONCE));
  }

  async ask(ids) {
    const request = { ids, abort: new AbortController() };
    this.under.add(request);
    try {
      const { thumbnails } = await post("thumbs", { ids }, request.abort.signal);
      for (const id of ids) this.draw(id, thumbnails[id] && `data:image/webp;base64,${thumbnails[id]}`);
    } catch {
      if (!request.abort.signal.aborted) for (const id of ids) this.shown.get(id)?.draw(thumb(id)); // which says what is wrong
    } finally {
      this.under.delete(request);
    }
  }

  draw(id, picture) {
    this.shown.get(id)?.draw(picture);
    if (!picture) return;
    this.known.delete(id); // and put behind all others: the one in front is the longest unused
    this.known.set(id, picture);
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
  }
}
