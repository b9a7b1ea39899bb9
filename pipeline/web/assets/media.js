// Videos that play. What a browser cannot play the server makes a preview of; while it does, the
// video says so and asks again.

import { pause } from "./api.js";
import { el } from "./dom.js";

const ASK_AGAIN_MS = 700;

export const isPlayable = (video) => Boolean(video.media && !video.offline);

/** A <video> of a video; `say(text)` hears what a person should know, "" for nothing. */
export function film(video, { at = 0, say = () => {}, ...props } = {}) {
  const url = video.media.url + (at > 0.5 ? `#t=${at.toFixed(2)}` : "");
  const node = el("video", { src: url, poster: video.thumb, loop: true, playsinline: true, "aria-label": video.name, ...props });
  node.addEventListener("loadeddata", () => say(video.media.kind === "preview" ? "preview" : ""));
  node.addEventListener("error", async () => {
    if (!node.hasAttribute("src")) return; // it was unloaded
    try {
      const answer = await fetch(video.media.url, { headers: { Range: "bytes=0-0" } });
      if (answer.status === 202) {
        say((await answer.json()).waiting);
        await pause(ASK_AGAIN_MS);
      } else if (!answer.ok || node.dataset.tried) {
        const { error } = await answer.json().catch(() => ({}));
        say(error ?? "This browser cannot play this video.");
        return;
      } else {
        node.dataset.tried = "1";
        video.media.kind = answer.headers.get("X-Media") ?? video.media.kind;
      }
      if (!node.hasAttribute("src")) return;
      node.src = url;
      if (!node.paused || node.autoplay) start(node);
    } catch {
      say("The server does not answer.");
    }
  });
  return node;
}

/** Plays; without sound where the browser wants to be asked first. */
export function start(node) {
  node.play().catch((error) => {
    if (error.name !== "NotAllowedError") return; // it was unloaded, or reports its own error
    node.muted = true;
    node.play().catch(() => {});
  });
}

export const toggle = (node) => node && (node.paused ? start(node) : node.pause());

/** Unloads a video and takes it from the page. */
export function release(node) {
  if (!node?.hasAttribute("src")) return;
  node.pause();
  node.removeAttribute("src");
  node.load();
  node.remove();
}
