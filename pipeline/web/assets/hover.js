// The video under the mouse. There is one <video> for all cards: it moves into a card after a
// moment, plays from the right second without sound, and is unloaded on leaving, so that no card
// that was passed by goes on loading.

import { el, reducedMotion } from "./dom.js";
import { isPlayable, release } from "./media.js";

const WAIT_MS = 200;
const player = el("video", { class: "hover", preload: "metadata", muted: true, loop: true, playsinline: true,
  tabIndex: -1, "aria-hidden": "true", disablepictureinpicture: true });
let timer = 0;

player.addEventListener("playing", () => player.classList.add("on"));

/** Plays a video in `box` from some second, while the mouse is over `area` or it has the focus. */
export function playsUnderMouse(area, box, video, at = 0) {
  if (!isPlayable(video)) return;
  const enter = () => {
    stop();
    if (!reducedMotion.matches) timer = setTimeout(mount, WAIT_MS, box, video.media.url, at);
  };
  area.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && enter());
  area.addEventListener("pointerleave", stop);
  area.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && enter());
  area.addEventListener("focusout", stop);
}

function mount(box, url, at) {
  if (!box.isConnected) return;
  player.src = at > 0.5 ? `${url}#t=${at.toFixed(2)}` : url;
  box.append(player);
  player.play().catch(() => {}); // it was unloaded before it began, or cannot be played
}

/** Unloads it. */
export function stop() {
  clearTimeout(timer);
  player.classList.remove("on");
  release(player);
}
