// The search box: words, where to look for them, and a picture or a video to ask with.

import { get, postPicture } from "./api.js";
import { button, el, fill, icon } from "./dom.js";
import { go, NEW_QUESTION } from "./router.js";
import { attempt, toast } from "./toast.js";

const TYPING_MS = 350;
const WAYS = [["both", "Picture and speech"], ["picture", "Picture"], ["speech", "Speech"], ["words", "Exact words"]];
const pictures = new Map(); // id -> what was given, to be shown while this page is open

/** The box, how to look, and the picture or the video that is asked with. */
export function searchBox() {
  let typing = false;
  let timer = 0;
  const input = el("input", {
    type: "search", id: "ask", placeholder: "Search what is shown or said", "aria-label": "Search", autocomplete: "off",
    enterkeyhint: "search",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(send, TYPING_MS);
    },
    onblur: () => { typing = false; },
    onkeydown: (event) => {
      if (event.key === "Escape" && !input.value) input.blur();
      if (event.key === "ArrowDown") {
        event.preventDefault();
        document.querySelector(".grid a[tabindex='0'], .grid a")?.focus();
      }
    },
  });
  const way = el("select", { "aria-label": "Where to look", onchange: () => {
    clearTimeout(timer);
    go({ text: input.value.trim() || null, by: way.value === "both" ? null : way.value, nearest: null });
  } },
    WAYS.map(([value, text]) => el("option", { value }, text)));
  const file = el("input", { type: "file", accept: "image/*", hidden: true, onchange: () => {
    if (file.files[0]) take(file.files[0]);
    file.value = "";
  } });
  const chip = el("span", { class: "chip", hidden: true });
  const node = el("form", { class: "ask", role: "search", onsubmit: (event) => { event.preventDefault(); send(); typing = false; } },
    el("div", { class: "field" }, icon("search"), chip, input),
    way, button("Search by a picture", () => file.click(), { icon: "image", bare: true }), file);

  function send() {
    clearTimeout(timer);
    const text = input.value.trim() || null;
    if (text === (box.now.text ?? null)) return;
    const { like, picture } = box.now;
    go({ ...NEW_QUESTION, ...(text ? { text } : { like, picture }) }, { replace: typing });
    typing = true;
  }

  function example({ like, picture }) {
    chip.hidden = !(like || picture);
    if (chip.hidden) return;
    const end = button("Remove", () => go({ like: null, picture: null, nearest: null }), { icon: "close", bare: true, class: "quiet" });
    const name = el("span", {}, like ? "More like this" : "Like this picture");
    fill(chip, picture ? shrunk(pictures.get(picture)) : icon("like"), name, end);
    if (like) {
      get(`/api/videos/${like}`).then(({ video }) => { name.textContent = `More like ${video.name}`; }).catch(() => {});
    }
  }

  const box = {
    node, now: {},
    focus: () => input.select(),
    update: (address) => {
      const before = box.now;
      box.now = address;
      if (document.activeElement !== input || (address.text ?? "") !== input.value.trim()) input.value = address.text ?? "";
      way.value = address.by ?? "both";
      if (before.like !== address.like || before.picture !== address.picture) example(address);
    },
  };
  return box;
}

/** A dropped picture, small, on a canvas: no address of it is needed. */
function shrunk(bitmap) {
  if (!bitmap) return icon("image");
  const side = 28;
  const scale = side / Math.min(bitmap.width, bitmap.height);
  const canvas = el("canvas", { width: side, height: side, "aria-hidden": "true" });
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d").drawImage(bitmap, (side - w) / 2, (side - h) / 2, w, h);
  return canvas;
}

/** Asks with pictures that are dropped on a view or pasted; returns how to stop. */
export function takePictures(view) {
  const control = new AbortController();
  const { signal } = control;
  const over = (on) => view.classList.toggle("dropping", on);
  view.addEventListener("dragover", (event) => { event.preventDefault(); over(true); }, { signal });
  view.addEventListener("dragleave", (event) => !view.contains(event.relatedTarget) && over(false), { signal });
  view.addEventListener("drop", (event) => { event.preventDefault(); over(false); take(event.dataTransfer.files[0]); }, { signal });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
    if (file) { event.preventDefault(); take(file); }
  }, { signal });
  return () => control.abort();
}

async function take(file) {
  if (!file?.type.startsWith("image/")) return toast("That is no picture.", { error: true });
  const answer = await attempt(() => postPicture(file));
  if (!answer) return undefined;
  pictures.set(answer.picture, await createImageBitmap(file).catch(() => null));
  return go({ ...NEW_QUESTION, picture: answer.picture });
}
