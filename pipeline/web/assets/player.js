// The player: one video in a dialog, at the moment that was found, with what is said beside it.

import { get } from "./api.js";
import { facts, picture, strip } from "./card.js";
import { head } from "./dialog.js";
import { button, el, fill, sentence } from "./dom.js";
import { askFolder } from "./folders.js";
import { ago, clock, counted } from "./format.js";
import { stop as stopHover } from "./hover.js";
import { bind } from "./keys.js";
import { film, isPlayable, release, start, toggle } from "./media.js";
import { move } from "./moves.js";
import { address, go, kept, NEW_QUESTION } from "./router.js";
import { failed, loading, throwBug } from "./states.js";
import { attempt } from "./toast.js";

const STEP_SECONDS = 5;
const dialog = document.getElementById("player");
let shown = null; // the key of the video
let video = null; // its element
let control = null;
let free = () => {};
let neighbour = () => null;

dialog.addEventListener("close", () => {
  unload();
  if (address().open) leave();
});
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

/** Shows what the address says; `find(key, by)` knows the next video of the view. */
export function update({ open, at }, find) {
  neighbour = find ?? (() => null);
  if (!open) {
    if (dialog.open) dialog.close();
    return;
  }
  if (open === shown) {
    if (at && video) seek(Number(at));
    return;
  }
  load(open, Number(at ?? 0));
}

/** Closing goes back where opening came from, so that Forward and Back mean what they say. */
function leave() {
  if (kept("opened")) history.back();
  else go({ open: null, at: null }, { replace: true });
}

function unload() {
  control?.abort();
  free();
  free = () => {};
  shown = null;
  release(video);
  video = null;
}

async function load(key, at) {
  unload();
  stopHover();
  shown = key;
  control = new AbortController();
  const { signal } = control;
  fill(dialog, head(dialog, "Video"), loading());
  if (!dialog.open) dialog.showModal();
  free = bind("Player", bindings(), { modal: true });
  try {
    const answer = await get(`/api/videos/${encodeURIComponent(key)}`, {}, { signal });
    if (shown === key) show(answer, at);
  } catch (error) {
    if (!(error.status >= 0)) throwBug(error);
    else fill(dialog, head(dialog, "Not here"), failed(error, error.status !== 404 && (() => load(key, at))));
  }
}

function show({ video: one, segments, translation, copies }, at) {
  const lines = segments.map((segment) => el("li", {}, button(
    segment.text, () => seek(segment.start, true), { class: "line" },
  )));
  lines.forEach((line, index) => line.firstChild.prepend(el("time", {}, clock(segments[index].start))));
  const words = el("ol", { class: "transcript", tabIndex: lines.length ? 0 : -1, "aria-label": "Transcript" }, lines);
  const stage = el("div", { class: "stage", tabIndex: -1 });
  fill(dialog, head(dialog, one.name), el("div", { class: "split" }, stage, el("div", { class: "beside" },
    el("div", { class: "facts" },
      el("p", {}, el("span", { class: "folder" }, one.folder ?? "unlabeled"), " ", facts(one),
        one.embedded_at && ` · added ${ago(one.embedded_at)}`),
      el("p", { class: "path" }, one.path),
      one.failure && [el("p", { class: "remark" }, sentence(one.failure.error)),
        el("p", { class: "quiet-text" }, one.failure.hint, ` ${counted(one.failure.attempts, "try", "tries")}, the last ${ago(one.failure.failed_at)}.`)],
      !one.failure && el("p", { class: "actions" },
        button("Move", () => moveOne(one), { icon: "folder", key: "v" }),
        button("More like this", () => like(one), { icon: "like", key: "l" }))),
    lines.length ? words : el("p", { class: "quiet-text silent" }, one.failure ? "" : "Nobody speaks in this video."),
    translation && el("details", { class: "english" }, el("summary", {}, "In English"), el("p", {}, translation)),
    copies.length > 0 && el("div", { class: "copies" }, el("h3", {}, counted(copies.length, "copy", "copies")),
      strip(copies, { label: "Copies" })))));
  play(stage, one, at, (time) => light(words, lines, segments, time));
}

function play(stage, one, at, onTime) {
  const note = el("p", { class: "over", role: "status" });
  if (!isPlayable(one)) {
    note.textContent = one.failure ? "" : "This file is offline: connect its drive to play it.";
    fill(stage, picture(one, { length: false }), note);
    return;
  }
  const mine = film(one, { at, controls: true, preload: "auto", say: (text) => { note.textContent = text; } });
  video = mine;
  for (const event of ["timeupdate", "seeked"]) mine.addEventListener(event, () => onTime(mine.currentTime));
  fill(stage, mine, note);
  start(mine);
  stage.focus();
}

function light(list, lines, segments, time) {
  segments.forEach(({ start: from, end }, index) => {
    const now = time >= from && time < end;
    if (now === lines[index].classList.contains("now")) return;
    lines[index].classList.toggle("now", now);
    lines[index].firstChild.setAttribute("aria-current", String(now));
    if (now && !list.matches(":hover, :focus-within")) {
      list.scrollTop = lines[index].offsetTop - list.offsetTop - list.clientHeight / 3;
    }
  });
}

function seek(time, andPlay = false) {
  if (!video) return;
  video.currentTime = time;
  if (andPlay) start(video);
}

function like(one) {
  go({ ...NEW_QUESTION, view: "search", like: one.key, open: null, at: null });
}

async function moveOne(one) {
  const folder = await askFolder(`Move ${one.name}`, { unlabeled: one.folder !== null });
  if (folder === undefined || folder === one.folder) return;
  const next = (await attempt(() => move([{ keys: [one.key], folder }])))?.moved[0]?.new_key;
  if (next && shown === one.key) go({ open: next }, { replace: true, state: history.state });
}

/** Another video of the view takes this one's place in the history. */
function step(by) {
  const next = neighbour(shown, by);
  if (next) go({ open: next.key, at: next.at }, { replace: true, state: history.state });
}

function bindings() {
  const press = (key) => dialog.querySelector(`[aria-keyshortcuts=${key}]`)?.click();
  const jump = (seconds) => video && seek(Math.max(0, video.currentTime + seconds));
  return [
    ["Space", "play or pause", () => toggle(video)],
    ["ArrowLeft", "5 seconds back", () => jump(-STEP_SECONDS)],
    ["ArrowRight", "5 seconds on", () => jump(STEP_SECONDS)],
    ["j", "next video", () => step(1)],
    ["k", "previous video", () => step(-1)],
    ["m", "sound on or off", () => video && (video.muted = !video.muted)],
    ["f", "whole screen", () => video && (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen())],
    ["l", "more like this", () => press("l")],
    ["v", "move it to a folder", () => press("v")],
    ["Escape", "close", () => dialog.close()],
  ];
}
