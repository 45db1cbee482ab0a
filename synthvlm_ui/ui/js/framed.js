// Downloads where the app stands in a frame of another site's page, as a Space does: a browser keeps the cookies of a frame
// apart and sends none with a download that it makes by itself, so the server would not know whose file is meant. There the
// page fetches the file and hands it over. Knows no file.

import { attempt, file } from "./api.js";

const SOME_TIME_MS = 60_000; // in which a browser has taken over what it was handed

async function handOver(link) {
  link.setAttribute("aria-busy", "true");
  const found = await attempt(() => file(link.href));
  link.removeAttribute("aria-busy");
  if (!found) return;
  const held = URL.createObjectURL(found);
  Object.assign(document.createElement("a"), { href: held, download: link.download }).click();
  setTimeout(() => URL.revokeObjectURL(held), SOME_TIME_MS);
}

export function downloadInFrames() {
  if (window.top === window.self) return;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[download]");
    if (!link || event.defaultPrevented || link.protocol === "blob:" || link.origin !== window.location.origin) return;
    event.preventDefault();
    if (!link.hasAttribute("aria-busy")) handOver(link);
  });
}
