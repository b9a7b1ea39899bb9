// A video in a grid: its picture, what it is called, where it is, and why it was found.

import { cut, el, icon, marked, sentence } from "./dom.js";
import { clock, language } from "./format.js";
import { playsUnderMouse } from "./hover.js";
import { film, isPlayable } from "./media.js";
import { href, NEW_QUESTION } from "./router.js";

/** Cells of a grid; what was found, or failed, has room for the reason. */
export const CELL = { width: 152, ratio: 1.2, extra: 46 };
export const FOUND_CELL = { width: 174, ratio: 1.2, extra: 84 };

/**
 * Makes a card of `{video, percent, good, why}`. `choice` is the selection that it can be a part of;
 * `onChoose(event)` is called where its box is pressed.
 */
export function makeCard(item, { choice, onChoose, found }) {
  const { video, percent, good, why } = item;
  const at = why?.seconds ?? null;
  const box = picture(video);
  const link = el(
    "a",
    { href: href({ open: video.key, at: at ? at.toFixed(1) : null }), class: "face", draggable: "false" },
    box,
    el("span", { class: "name", title: video.path }, cut(video.name)),
  );
  const card = el(
    "div",
    { class: "card", role: "listitem" },
    link,
    el("span", { class: "where" },
      el("span", { class: video.folder === null ? "folder none" : "folder", title: video.folder }, video.folder ?? "unlabeled"),
      video.offline && el("em", {}, "offline")),
    found && reason(why),
    video.failure && el("span", { class: "why", title: video.failure.error }, sentence(video.failure.error)),
    typeof percent === "number" && el("span", { class: good ? "match good" : "match", title: "How well it matches" },
      `${Math.floor(percent)}%`),
    !video.failure && el("span", { class: "tools" },
      choice && chooser(video, choice, onChoose),
      el("a", {
        href: href({ ...NEW_QUESTION, view: "search", like: video.key, open: null, at: null }),
        class: "tool", title: "More like this (l)", "aria-label": `More like ${video.name}`, tabIndex: -1,
      }, icon("like"))),
  );
  playsUnderMouse(card, box, video, at ?? 0);
  return card;
}

/** The thumbnail with the length; a quiet sign where there is none. */
export function picture(video, { length = true } = {}) {
  const sign = () => el("span", { class: "no-picture" }, icon(video.failure ? "warning" : "film"));
  const image = video.thumb && el("img", { src: video.thumb, alt: "", loading: "eager", decoding: "async",
    onerror: () => image.replaceWith(sign()) });
  return el("span", { class: "picture" }, image || sign(),
    length && video.seconds > 0 && el("span", { class: "length" }, clock(video.seconds)));
}

/** Why it was found: the moment, and the sentence with the words marked. */
export function reason(why) {
  if (!why) return el("span", { class: "why" });
  const time = why.seconds !== null && el("time", {}, clock(why.seconds));
  if (why.kind === "picture") return el("span", { class: "why" }, "picture ", time);
  const text = why.text ?? "";
  // A mark far into a long sentence is brought into the two lines that are shown.
  const from = Math.max(0, (why.marks?.[0]?.[0] ?? 0) - 24);
  const start = from ? text.indexOf(" ", from) + 1 : 0;
  const marks = (why.marks ?? []).map(([a, b]) => [a - start, b - start]).filter(([a]) => a >= 0);
  return el("span", { class: "why", title: text }, time, " ", start > 0 && "… ", marked(text.slice(start), marks));
}

function chooser(video, choice, onChoose) {
  return el("input", {
    type: "checkbox", class: "choose", checked: choice.has(video.key), tabIndex: -1,
    "aria-label": `Select ${video.name}`, onclick: onChoose,
  });
}

/** Length, size and language in a few words. */
export const facts = (video) => (video.failure ? "" : [clock(video.seconds), `${video.width} × ${video.height}`,
  video.language && language(video.language)].filter(Boolean).join(" · "));

/** A row of small cards that can be opened; the first `live` ones play by themselves. */
export function strip(videos, { live = 0, label }) {
  return el("ul", { class: "strip", "aria-label": label }, videos.map((video, index) => {
    const box = picture(video, { length: false });
    const item = el("li", {}, el("a", { href: href({ open: video.key, at: null }), title: video.path, "aria-label": video.name }, box));
    if (index < live && isPlayable(video)) box.append(film(video, { muted: true, autoplay: true, tabIndex: -1, "aria-hidden": "true", "aria-label": null }));
    else playsUnderMouse(item, box, video);
    return item;
  }));
}
