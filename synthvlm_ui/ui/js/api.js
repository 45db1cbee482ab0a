// Talks to the app's own routes. The address follows from this file's own, so a root path in front changes nothing.

import { actor } from "./actor.js";
import { toast } from "./toast.js";

const BASE = new URL("../../", import.meta.url);

export const address = (path) => new URL(path, BASE).href;
export const thumb = (id) => address(`thumb/${id}`);
export const image = (id) => address(`image/${id}`);

export class ServerError extends Error {
  constructor(facts, status) {
    super(facts.text || "The server did not answer as expected.");
    this.facts = facts;
    this.status = status;
  }
}

async function reached(request) {
  try {
    return await request;
  } catch {
    throw new ServerError({ text: "The server does not answer. Is it still running?", kind: "Offline" }, 0);
  }
}

async function answer(request) {
  const response = await reached(request);
  const type = response.headers.get("content-type") || "";
  const body = type.includes("json") ? await response.json() : { error: { text: await response.text() } };
  if (!response.ok) throw new ServerError(body.error || {}, response.status);
  return body;
}

const named = () => ({ "x-synthvlm-actor": encodeURIComponent(actor()) });

export function get(path, values = {}, signal = undefined) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
  return answer(fetch(url, { headers: { accept: "application/json", ...named() }, signal }));
}

export function post(path, body = {}, signal = undefined) {
  return answer(fetch(new URL(path, BASE), {
    method: "POST", body: JSON.stringify(body), signal,
    headers: { "content-type": "application/json", ...named() },
  }));
}

// A whole file, as the browser holds it: large ones lie on its disk.
export async function file(url) {
  const response = await reached(fetch(url, { headers: named() }));
  return response.ok ? reached(response.blob()) : answer(response);
}

// Sends a file as it is.
export function upload(path, file, values = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
  return answer(fetch(url, { method: "POST", body: file, headers: { "content-type": "application/octet-stream", ...named() } }));
}

// Runs an action of the user; an error becomes a toast and the result undefined.
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    toast(error.message, "error");
    return undefined;
  }
}

// Sends the newest request only: while one is under way, later ones replace each other and the last is sent next.
export class Latest {
  constructor(send, receive, fail) {
    Object.assign(this, { send, receive, fail, sequence: 0, busy: false, next: null });
  }

  ask(payload) {
    this.next = payload;
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.next !== null) {
      const payload = this.next;
      this.next = null;
      const sequence = ++this.sequence;
      try {
        const result = await this.send(payload, sequence);
        this.receive(result, payload);
      } catch (error) {
        if (this.next === null) this.fail(error, payload);
      }
    }
    this.busy = false;
  }
}
