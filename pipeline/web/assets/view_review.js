// Review: what would harm a classifier, one case at a time and side by side. Decisions are kept by
// content, so a case that was decided does not come back.

import { post, remove } from "./api.js";
import { facts, picture, strip } from "./card.js";
import { button, el, fill, kbd, reducedMotion } from "./dom.js";
import { askFolder } from "./folders.js";
import { count, counted, percent } from "./format.js";
import { bind } from "./keys.js";
import { film, isPlayable } from "./media.js";
import { move, undo } from "./moves.js";
import { go, href } from "./router.js";
import { load, notice } from "./states.js";
import { attempt, toast } from "./toast.js";

const KINDS = { duplicate: "Same clip", misplaced: "Misplaced", overlap: "Look alike" };
const TITLES = { duplicate: "The same clip in two places", misplaced: "Probably in the wrong folder", overlap: "Folders that look alike" };

const STEP = 50; // cases of each kind that are asked for at once
const MOST = 500;

export const title = "Review";

export function mount(root, address) {
  const body = el("div", { class: "body" });
  const position = el("p", { class: "answered", role: "status" });
  const kinds = el("div", { class: "tabs", role: "group", "aria-label": "Kinds" });
  const view = el("div", { class: "view review" }, el("div", { class: "bar" }, position, kinds), body);
  root.append(view);
  const control = new AbortController();
  const decided = [];
  let cases = []; // the first of each kind
  let left = {}; // how many of each kind are not decided
  let limit = STEP;
  let saved = Promise.resolve();
  let small = [];
  let remark = null;
  let at = address;
  let ready = false;

  const open = () => (at.kind ? cases.filter(({ kind }) => kind === at.kind) : cases);
  const current = () => open().find(({ id }) => id === at.item) ?? open()[0];

  const total = (kind) => (kind ? left[kind] ?? 0 : Object.values(left).reduce((sum, n) => sum + n, 0));

  const ask = () => load(body, `/api/review?limit=${limit}`, (answer) => {
    ({ remark, left } = answer);
    small = answer.small ?? [];
    cases = [...answer.groups, ...answer.overlaps.map((each) => ({ ...each, kind: "overlap", videos: [] }))];
    ready = true;
    draw();
  }, { signal: control.signal });

  function draw() {
    if (!ready) return;
    const item = current();
    if (!item && total(at.kind) > 0) {
      saved.then(ask); // for those that follow
      return;
    }
    const number = open().indexOf(item) + 1;
    position.textContent = item ? `${count(number)} of ${count(total(at.kind))}` : "";
    fill(kinds, cases.length > 0 && [[null, "All"], ...Object.entries(KINDS)].map(([kind, text]) => {
      const n = total(kind);
      return (n > 0 || at.kind === kind) && el("a", { href: href({ kind, item: null }), "aria-current": String((at.kind ?? null) === kind) },
        text, el("small", {}, count(n)));
    }));
    if (!item) {
      fill(body, notice("check", "Nothing to review", remark ?? "No clip is in two folders, and no video looks misplaced."), smallFolders());
      return;
    }
    fill(body, el("div", { class: "case" },
      el("header", {}, el("h2", {}, TITLES[item.kind]), el("p", {}, item.text)),
      item.kind === "overlap" ? overlap(item) : sides(item),
      el("p", { class: "row actions" }, choices(item).map(([key, text, run]) => button(text, run, { key })))),
    smallFolders());
  }

  function sides(item) {
    const shown = item.kind === "misplaced" ? item.videos.slice(0, 1) : item.videos;
    return el("div", { class: "sides" },
      shown.map((video, index) => side(video, item.kind === "duplicate" ? String(index + 1) : null)),
      item.kind === "misplaced" && el("figure", { class: "side near" },
        strip(item.videos.slice(1, 5), { live: reducedMotion.matches ? 0 : 4, label: `Videos in ${item.likely}` }),
        el("figcaption", {}, el("strong", {}, item.likely), el("span", {}, `looks like these, ${percent(item.confidence ?? 0)}`))));
  }

  function side(video, key) {
    const note = el("p", { class: "over", role: "status" });
    const player = isPlayable(video)
      ? film(video, { controls: true, muted: true, autoplay: !reducedMotion.matches, preload: "metadata", say: (text) => { note.textContent = text; } })
      : picture(video);
    return el("figure", { class: "side" }, el("div", { class: "stage" }, player, note), el("figcaption", {},
      el("strong", {}, key && kbd(key), video.folder ?? "unlabeled"),
      el("a", { href: href({ open: video.key, at: null }), title: video.path }, video.name),
      el("span", { class: "quiet-text" }, facts(video))));
  }

  const overlap = ({ folders, share }) => el("p", { class: "overlap" },
    el("strong", {}, folders[0]), el("span", {}, `${percent(share)} look alike`), el("strong", {}, folders[1]),
    el("a", { href: href({ folder: folders }, { view: "search" }) }, "Look at both"));

  function smallFolders() {
    return small.length > 0 && el("section", { class: "small-folders" }, el("h3", {}, "Folders with few videos"),
      el("ul", {}, small.map(({ folder, clips }) => el("li", {}, el("a", { href: href({ folder: [folder] }, { view: "search" }) }, folder),
        el("small", {}, counted(clips, "clip"))))));
  }

  /** What can be done with a case: `[key, text, run]`. */
  function choices(item) {
    if (!item) return [];
    const found = [];
    const [first] = item.videos;
    if (item.kind === "misplaced") {
      found.push(["1", `Stays in ${first.folder}`, () => keepIt(item)],
        ["2", `Move to ${item.likely}`, () => moveThem(item, [first], item.likely)],
        ["n", "Another folder", () => elsewhere(item, [first])]);
    } else if (item.kind === "duplicate") {
      const names = [...new Set(item.videos.map(({ folder }) => folder).filter((folder) => folder !== null))];
      item.videos.forEach(({ folder }, index) => {
        if (folder === null || names.indexOf(folder) < 0) return;
        names.splice(names.indexOf(folder), 1);
        found.push([String(index + 1), `All to ${folder}`,
          () => moveThem(item, item.videos.filter((video) => video.folder !== folder), folder)]);
      });
      found.push(["n", "All to another folder", () => elsewhere(item, item.videos)], ["k", "Keep as it is", () => keepIt(item)]);
    } else {
      found.push(["k", "Keep as it is", () => keepIt(item)]);
    }
    return [...found, ["s", "Later", () => step(1)], ["u", "Undo", back]];
  }

  function step(by) {
    const all = open();
    const place = all.indexOf(current()) + by;
    if (place === all.length && total(at.kind) > all.length && limit < MOST) {
      limit += STEP;
      ask().then(() => step(by));
      return;
    }
    const next = all[(place + all.length) % all.length];
    if (next) go({ item: next.id }, { replace: true });
  }

  /** Takes a case from the list; the one that follows is shown. */
  function settle(item, done) {
    const all = open();
    const next = all[all.indexOf(item) + 1] ?? all[all.indexOf(item) - 1];
    decided.push({ item, place: cases.indexOf(item), ...done });
    left[item.kind] -= 1;
    cases = cases.filter((each) => each !== item);
    if ((next?.id ?? null) === (at.item ?? null)) draw();
    else go({ item: next?.id ?? null }, { replace: true });
  }

  function restore({ item, place }) {
    cases.splice(place, 0, item);
    left[item.kind] = (left[item.kind] ?? 0) + 1;
    if (at.item === item.id) draw();
    else go({ item: item.id }, { replace: true });
  }

  async function keepIt(item) {
    const keeping = attempt(() => post("/api/decisions", { id: item.id, decision: "keep" }));
    saved = keeping;
    settle(item, { kept: true });
    if (await keeping) {
      toast("Kept; it does not come back.", { action: ["Undo", back, "u"] });
    } else {
      restore(decided.pop());
    }
  }

  async function moveThem(item, videos, folder) {
    const done = await attempt(() => move([{ keys: videos.map(({ key }) => key), folder }]));
    if (done && !done.left.length) settle(item, { batch: done.batch });
  }

  async function elsewhere(item, videos) {
    const folder = await askFolder("Move to", { likely: [item.likely].filter(Boolean) });
    if (folder) await moveThem(item, videos.filter((video) => video.folder !== folder), folder);
  }

  async function back() {
    const last = decided.pop();
    if (last?.kept) {
      restore(last);
      await attempt(() => remove("/api/decisions", { id: last.item.id }));
    } else {
      const done = await undo(last?.batch);
      if (last && done.moved.length) restore(last);
    }
  }

  const press = (event, key) => choices(current()).find(([each]) => each === key)?.[2]() ?? undefined;
  const ends = [bind("Review", [
    ["1–9", "the folder with that number is right", () => false],
    ["1|2|3|4|5|6|7|8|9", null, press],
    ["k", "keep as it is", press],
    ["n", "another folder", press],
    ["s|j|ArrowRight", "later: the next case", () => step(1)],
    ["ArrowLeft", "the case before", () => step(-1)],
    ["u", "undo", back],
  ])];
  ask();

  return {
    update: (now) => {
      const before = at;
      at = now;
      if (before.item !== now.item || before.kind !== now.kind) draw();
    },
    neighbour: null,
    unmount: () => {
      control.abort();
      ends.forEach((end) => end());
      view.remove();
    },
  };
}
