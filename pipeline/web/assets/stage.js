// The stage: the video that is decided on, and beside it, loaded already and hidden, the next one.

import { el, reducedMotion } from "./dom.js";
import { film, isPlayable, release, start } from "./media.js";

/** A stage is `node`; `keep(videos)`, `show(one, sound)`, `player()` and `clear()` say what is on it. */
export function makeStage() {
  const players = new Map(); // key -> video element
  const note = el("p", { class: "over", role: "status" });
  const node = el("div", { class: "stage", tabIndex: -1 }, note);
  let shown = null;
  const player = () => players.get(shown?.key);

  function say() {
    note.textContent = shown && !isPlayable(shown) ? "This file is offline." : player()?.said ?? "";
  }

  /** Keeps players of these videos, and of no other. */
  function keep(videos) {
    const wanted = videos.filter(isPlayable);
    for (const [key, element] of players) {
      if (wanted.some((video) => video.key === key)) continue;
      release(element);
      players.delete(key);
    }
    for (const video of wanted) {
      if (players.has(video.key)) continue;
      const element = film(video, { preload: "auto", muted: true, controls: true, hidden: true,
        say: (text) => { element.said = text; say(); } });
      players.set(video.key, element);
      note.before(element);
    }
  }

  /** Shows and plays one of them. */
  function show(video, sound) {
    shown = video;
    for (const [key, element] of players) {
      const now = key === video.key;
      element.hidden = !now;
      element.muted = !now || !sound;
      if (now && !reducedMotion.matches) start(element);
      else element.pause();
    }
    say();
  }

  function clear() {
    shown = null;
    keep([]);
  }

  return { node, keep, show, player, clear };
}
