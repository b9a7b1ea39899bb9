// Sort: the unlabeled videos, one after the other. A key moves the file and the next one, loaded
// already, is there at once; what the server says of the move comes after.

import { acceptAll } from "./accept_all.js";
import { get, post, remove } from "./api.js";
import { facts, strip } from "./card.js";
import { button, el, fill, kbd, reducedMotion } from "./dom.js";
import { askFolder, folders } from "./folders.js";
import { count, counted, percent } from "./format.js";
import { bind } from "./keys.js";
import { onRest } from "./live.js";
import { toggle } from "./media.js";
import { move, undo } from "./moves.js";
import { go } from "./router.js";
import { makeStage } from "./stage.js";
import { failed, loading, notice, throwBug } from "./states.js";
import { attempt, toast } from "./toast.js";

const AHEAD = 40; // suggestions that are asked for at a time
const FEW = 8; // left, when more are asked for
const NUMBERS = 9;
const WITNESSES = 3; // videos that speak for a folder
const SHOWN = 3; // folders that have them
const UNLIKELY = 0.02;
let sound = false;

export const title = "Sort";

export function mount(root, address) {
  const queue = []; // suggestions, the current one first
  const seen = new Set(); // keys that were in the queue
  const decided = []; // what was done here, the newest last
  let skipped = 0;
  let total = 0;
  let moving = 0; // videos whose move the server has not answered yet
  let isAll = false; // whether the server has no more than these
  let all = []; // the collection's folders
  let order = address.order;
  let control = new AbortController();
  let asking = null;
  let remark = null;
  let isEmpty = false;

  const stage = makeStage();
  const about = el("div", { class: "facts" });
  const choices = el("ol", { class: "choices", "aria-label": "Folders" });
  const left = el("p", { class: "answered", role: "status" });
  const how = el("select", { "aria-label": "Order", onchange: () => go({ order: how.value === "unsure" ? null : how.value }) },
    el("option", { value: "unsure" }, "Least certain first"), el("option", { value: "sure" }, "Most certain first"));
  const work = el("div", { class: "work" }, el("div", { class: "watch" }, stage.node, about),
    el("div", { class: "decide" }, choices, el("p", { class: "row actions" },
      button("New folder", newFolder, { key: "n" }), button("Skip", skip, { key: "s" }),
      button("Reject", reject, { key: "x" }), button("Undo", back, { key: "u" }))));
  const other = el("div", { class: "body" });
  const tools = el("span", { class: "row", hidden: true }, button("Accept all above…", bulk, { icon: "check" }), how);
  const view = el("div", { class: "view sort" }, el("div", { class: "bar" }, left, tools), work, other);
  root.append(view);

  const current = () => queue[0];
  const likely = () => current()?.folders ?? [];
  /** The folders of the keys 1 to 9: the likely ones, then the largest others. */
  const numbered = () => {
    const first = likely().map(({ name }) => name);
    return [...first, ...all.map(({ name }) => name).filter((name) => !first.includes(name))].slice(0, NUMBERS);
  };

  async function more() {
    if (asking) return asking;
    const mine = control;
    asking = (async () => {
      const answer = await get("/api/suggestions", { order: order ?? "unsure", offset: skipped, limit: AHEAD },
        { signal: mine.signal, waiting: (text) => !queue.length && show(loading(text)) });
      remark = answer.remark;
      isEmpty = !answer.total && remark !== null;
      const fresh = answer.items.filter(({ video }) => !seen.has(video.key));
      fresh.forEach(({ video }) => seen.add(video.key));
      queue.push(...fresh);
      isAll = answer.items.length < AHEAD;
      total = isAll ? queue.length : answer.total - skipped - moving;
    })();
    try {
      await asking;
    } finally {
      if (mine === control) asking = null;
    }
  }

  /** Asks for suggestions where few are left, and draws. */
  async function ask() {
    const before = current();
    try {
      if (queue.length < FEW && !isAll) await more();
      if (current() !== before || !before) draw();
      else preload();
    } catch (error) {
      if (!(error.status >= 0)) throwBug(error);
      else if (!queue.length) show(failed(error, ask));
    }
  }

  function show(node) {
    work.hidden = true;
    fill(other, node);
    other.hidden = false;
  }

  function draw() {
    const item = current();
    fill(left, item && [count(total), el("span", { class: "wide" }, ` ${total === 1 ? "video" : "videos"} to sort`)]);
    tools.hidden = !item;
    if (!item) {
      stage.clear();
      show(skipped
        ? notice("sort", "Nothing else to sort", `${counted(skipped, "video")} skipped.`,
          button("Show the skipped ones", again, { class: "primary" }))
        : notice("check", isEmpty ? "Nothing to sort" : "Everything is sorted", remark ?? "Every video is in a folder. New ones appear here as they are embedded."));
      return;
    }
    work.hidden = false;
    other.hidden = true;
    const { video } = item;
    preload();
    stage.show(video, sound);
    fill(about, el("h2", { title: video.path }, video.name), el("p", { class: "quiet-text" }, facts(video)));
    fill(choices, numbered().map((name, index) => choice(name, index, item.folders[index])));
    if (!choices.children.length) {
      fill(choices, el("li", { class: "quiet-text" }, remark ?? "There is no folder yet: n makes one."));
    }
  }

  function choice(name, index, guess) {
    const press = button(name, () => { decide(name); stage.node.focus(); }, { class: "choice", "aria-keyshortcuts": String(index + 1) });
    press.prepend(kbd(String(index + 1)));
    if (guess) {
      const meter = el("meter", { min: 0, max: 1, value: guess.probability, "aria-hidden": "true" });
      if (index === 0) press.append(kbd("Enter"));
      press.append(meter, el("b", {}, percent(guess.probability)));
    } else {
      const known = all.find((each) => each.name === name);
      press.append(el("small", {}, known ? count(known.videos) : ""));
    }
    const live = index === 0 && !reducedMotion.matches ? WITNESSES : 0;
    return el("li", { class: guess?.probability >= UNLIKELY ? "likely" : "" }, press,
      index < SHOWN && guess?.witnesses.length > 0 && strip(guess.witnesses.slice(0, WITNESSES), { live, label: `Videos that speak for ${name}` }));
  }

  /** Loads the current video and the next. */
  const preload = () => stage.keep(queue.slice(0, 2).map(({ video }) => video));

  function advance() {
    const item = queue.shift();
    draw();
    ask();
    return item;
  }

  async function decide(folder) {
    if (!current()) return;
    total -= 1;
    moving += 1;
    const item = current();
    const moved = attempt(() => move([{ keys: [item.video.key], folder }], { quiet: true }));
    advance();
    const entry = { item, moved };
    decided.push(entry);
    const done = await moved;
    moving -= 1;
    if (done && !done.left.length) {
      toast(`${item.video.name} → ${folder}`, { action: ["Undo", back, "u"] });
    } else {
      total += 1; // it comes again after this one; the message says why
      if (decided.includes(entry)) decided.splice(decided.indexOf(entry), 1);
      queue.splice(1, 0, item);
      draw();
    }
  }

  function accept() {
    const [first] = likely();
    if (first) decide(first.name);
    else toast("There is no suggestion for this video: choose a folder, or make one with n.");
  }

  async function newFolder() {
    const item = current();
    if (!item) return;
    const folder = await askFolder(`Move ${item.video.name}`, { likely: item.folders.map(({ name }) => name) });
    stage.node.focus();
    if (folder && current() === item) decide(folder);
  }

  function skip() {
    if (!current()) return;
    skipped += 1;
    total -= 1;
    decided.push({ item: advance(), skipped: true });
    stage.node.focus();
  }

  async function reject() {
    const item = current();
    const [first] = likely();
    if (!first) return;
    const body = { content: item.video.content, folder: first.name };
    item.folders = item.folders.slice(1);
    decided.push({ item, rejected: first, body });
    draw();
    stage.node.focus();
    if (await attempt(() => post("/api/rejections", body))) {
      toast(`${first.name} is not suggested again for this video.`, { action: ["Undo", back, "u"] });
    } else {
      restore(decided.splice(decided.findIndex((each) => each.body === body), 1)[0]);
    }
  }

  /** Takes the last decision back, whatever it was. */
  async function back() {
    const last = decided.pop();
    stage.node.focus();
    if (last?.skipped) {
      skipped -= 1;
      total += 1;
      queue.unshift(last.item);
      draw();
    } else if (last?.rejected) {
      restore(last);
      await attempt(() => remove("/api/rejections", last.body));
    } else {
      const move = await last?.moved; // which may be on its way
      if (last?.item && (!move || move.left.length)) return;
      const done = await undo(move?.batch);
      if (!done.moved.length) return;
      if (last?.item) {
        total += 1;
        queue.unshift(last.item);
        draw();
      } else {
        again();
      }
    }
  }

  function restore({ item, rejected }) {
    item.folders = [rejected, ...item.folders];
    if (current() !== item) {
      const at = queue.indexOf(item);
      if (at > 0) queue.splice(at, 1);
      queue.unshift(item);
    }
    draw();
  }

  /** Begins again. */
  function again() {
    control.abort();
    control = new AbortController();
    asking = null;
    queue.length = 0;
    seen.clear();
    skipped = 0;
    isAll = false;
    ask();
  }

  async function bulk() {
    if (await acceptAll()) {
      decided.push({});
      again();
    }
  }

  const learn = async () => {
    const known = await folders().catch(() => null);
    if (!known) return;
    all = [...known.folders].sort((a, b) => b.videos - a.videos);
    if (current()) draw();
  };
  const digits = Array.from({ length: NUMBERS }, (_, i) => String(i + 1)).join("|");
  const ends = [
    bind("Sort", [
      ["1–9", "move it to that folder", () => false],
      [digits, null, (event, key) => { const name = numbered()[key - 1]; if (name) decide(name); }],
      ["Enter", "accept the first folder", accept],
      ["n", "another or a new folder", newFolder],
      ["s", "skip", skip],
      ["x", "reject the first folder: it is not suggested again", reject],
      ["u", "undo", back],
      ["Space", "play or pause", () => toggle(stage.player())],
      ["m", "sound on or off", () => { sound = !sound; draw(); }],
      ["a", "accept all above a confidence", bulk],
    ]),
    onRest(["version"], () => { learn(); isAll = false; ask(); }),
  ];
  how.value = order ?? "unsure";
  show(loading());
  learn();
  ask();

  return {
    update: (now) => {
      how.value = now.order ?? "unsure";
      if (now.order !== order) {
        order = now.order;
        again();
      }
      stage.player()?.[now.open || reducedMotion.matches ? "pause" : "play"]();
    },
    neighbour: null,
    unmount: () => {
      control.abort();
      stage.clear();
      ends.forEach((end) => end());
      view.remove();
    },
  };
}
