// Map: the collection in the plane, alike beside alike. A click opens a video; what a line is drawn
// around is selected, and can be moved together.

import { get } from "./api.js";
import { picture } from "./card.js";
import { append, button, cut, el, fill } from "./dom.js";
import { count, counted } from "./format.js";
import { bind } from "./keys.js";
import { on } from "./live.js";
import { PointMap } from "./map.js";
import { go } from "./router.js";
import { selection } from "./selection.js";
import { load, notice } from "./states.js";

const REST_MS = 150; // of the mouse on a point, before the name of its video is asked for
const [DARKEST, LIGHTEST] = [0.16, 0.5]; // luminance of a point on a dark and on a light ground
const MANY = 3; // folders, from which on all are shown or hidden together
const dark = matchMedia("(prefers-color-scheme: dark)");

export const title = "Map";

export function mount(root) {
  const control = new AbortController();
  const { signal } = control;
  const canvas = el("canvas", { tabIndex: 0, role: "application", "aria-roledescription": "map",
    "aria-label": "Map of the videos: arrow keys go from video to video, Enter opens one, plus and minus zoom" });
  const body = el("div", { class: "body" });
  const place = el("div", { class: "plane" }, canvas);
  const legend = el("div", { class: "rows side" });
  const card = el("div", { class: "tip", hidden: true });
  const said = el("p", { class: "answered", role: "status" });
  const drawing = button("Draw a region", toggleDrawing, { key: "d", "aria-pressed": "false" });
  const chosen = selection(ring);
  const tools = el("span", { class: "row", hidden: true }, drawing,
    button("Zoom in", () => map?.zoom(), { bare: true, icon: "plus", class: "wide" }),
    button("Zoom out", () => map?.zoom(1 / 1.4), { bare: true, icon: "minus", class: "wide" }),
    button("Show all", () => map?.reset(), { key: "0" }));
  root.append(el("div", { class: "view maps" }, el("div", { class: "bar" }, said, tools), legend, body, chosen.node));
  let map = null;
  let last = null;
  let keys = [];
  let contents = [];
  let resting = 0;
  let later = 0;

  function show(answer) {
    ({ keys, contents } = answer);
    last = answer;
    const { folders, folder, x, y } = answer;
    said.textContent = counted(keys.length, "video");
    tools.hidden = !keys.length;
    if (!keys.length) {
      fill(legend);
      fill(body, notice("map", "No map yet", answer.remark ?? "There is nothing to draw: no video is embedded."));
      return;
    }
    const colours = answer.colours.map(legible);
    const points = { x, y, group: folder, colours };
    if (!body.contains(place)) fill(body, place, card);
    if (map) map.setPoints(points);
    else map = new PointMap(canvas, points, { hover, open: (i) => i >= 0 && go({ open: keys[i], at: null }), region });
    entries(folders, folder, colours);
    ring();
  }

  function entries(folders, folder, colours) {
    const counts = new Uint32Array(folders.length);
    for (const i of folder) counts[i] += 1;
    const toggle = (name, shown, change, ...more) => el("label", { title: name },
      el("input", { type: "checkbox", checked: shown, onchange: ({ target }) => { change(target.checked); map.draw(); } }),
      ...more, el("span", {}, name));
    const rows = folders.map((name, i) => {
      const dot = el("i", { class: "dot" });
      dot.style.background = colours[i];
      const row = toggle(name ?? "unlabeled", !map.hidden.has(i), (on) => map.hidden[on ? "delete" : "add"](i), dot);
      return append(row, el("small", {}, count(counts[i])));
    });
    const all = folders.length >= MANY && toggle("All", map.hidden.size === 0, (on) => {
      folders.forEach((_, i) => map.hidden[on ? "delete" : "add"](i));
      for (const row of rows) row.firstChild.checked = on;
    });
    fill(legend, all, rows);
  }

  function ring() {
    if (!map) return;
    map.selected = new Set(keys.flatMap((key, i) => (chosen.has(key) ? [i] : [])));
    map.draw();
  }

  function region(points) {
    chosen.set(points.map((i) => keys[i]));
    if (map.drawsRegion) toggleDrawing();
  }

  function toggleDrawing() {
    if (!map) return;
    map.drawsRegion = !map.drawsRegion;
    drawing.setAttribute("aria-pressed", String(map.drawsRegion));
    canvas.classList.toggle("draws", map.drawsRegion);
  }

  /** The picture of a point at once, its name when the mouse rests there. */
  function hover(i) {
    clearTimeout(resting);
    card.hidden = i < 0;
    if (i < 0) return;
    const name = el("span", { class: "name" }, " ");
    fill(card, picture({ thumb: contents[i] && `/thumb/${contents[i]}` }, { length: false }), name);
    const [x, y] = map.placeOf(i);
    card.style.left = `${Math.min(x + 16, place.clientWidth - 196)}px`;
    card.style.top = `${Math.min(y + 16, place.clientHeight - 180)}px`;
    resting = setTimeout(async () => {
      const answer = await get(`/api/videos/${keys[i]}`, {}, { signal }).catch(() => null);
      if (answer) fill(name, cut(answer.video.name));
      if (document.activeElement === canvas && answer) said.textContent = `${answer.video.name}, ${answer.video.folder ?? "unlabeled"}`;
    }, REST_MS);
  }

  const ask = (quiet) => load(body, "/api/map", show, { signal, quiet });
  const renew = () => {
    clearTimeout(later);
    later = setTimeout(ask, 1000, true);
  };
  const ends = [
    bind("Map", [
      ["←→↑↓", "on the map: go from video to video; Enter opens one", () => false],
      ["+ - 0", "on the map: zoom in, out, show all", () => false],
      ["d", "draw round videos to select them (or Shift and drag)", toggleDrawing],
      ...chosen.keys,
      ["0", null, () => map?.reset()],
    ]),
    on("version", renew), on("moved", renew),
  ];
  const redraw = () => last && show(last);
  dark.addEventListener("change", redraw);
  ask(false);

  return {
    update: () => {},
    unmount: () => {
      control.abort();
      clearTimeout(resting);
      clearTimeout(later);
      map?.close();
      dark.removeEventListener("change", redraw);
      ends.forEach((end) => end());
    },
  };
}

/** A colour, lighter on a dark ground and darker on a light one where it would be lost there. */
function legible(hex) {
  let rgb = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
  const [end, isLost] = dark.matches ? [1, (light) => light < DARKEST] : [0, (light) => light > LIGHTEST];
  const light = ([r, g, b]) => 0.2126 * r ** 2.2 + 0.7152 * g ** 2.2 + 0.0722 * b ** 2.2;
  while (isLost(light(rgb))) rgb = rgb.map((part) => part + 0.1 * (end - part));
  return `rgb(${rgb.map((part) => Math.round(255 * part)).join(" ")})`;
}
