// What surrounds the map of `plot`'s page: legend, search, and the card of a video. It stands below
// map.js in one script. Names and words of videos are set as text only.

const data = JSON.parse(document.getElementById("data").textContent);
const find = (selector) => document.querySelector(selector);
const canvas = find("canvas"), card = find("#card"), link = find("#card a");
const [label, words] = document.querySelectorAll("#card p");
let shown = -1, found = [];

const map = new PointMap(
  canvas,
  { x: data.x, y: data.y, group: data.group, colours: data.groups.map((group) => group.colour) },
  { hover: (point) => isPinned() || show(point), open: pin },
);

function isPinned() {
  return card.classList.contains("pinned");
}

function show(point) {
  shown = point;
  card.hidden = point < 0;
  if (point < 0) return;
  const picture = card.querySelector("img"), jpeg = data.thumbnails[point];
  picture.hidden = !jpeg;
  picture.src = jpeg ? "data:image/jpeg;base64," + jpeg : "";
  link.textContent = data.folder + data.paths[point];
  link.href = data.link + data.paths[point].split("/").map(encodeURIComponent).join("/");
  label.textContent = data.groups[data.group[point]].name;
  words.textContent = data.transcripts[point];
  placeCard();
}

/** Keep a video's card, so that the mouse can get to its link; -1 takes the card away. */
function pin(point) {
  card.classList.toggle("pinned", point >= 0);
  show(point);
  if (point >= 0 && canvas.matches(":focus-visible")) link.focus();
}

function placeCard() {
  if (shown < 0) return;
  const area = canvas.getBoundingClientRect(), [x, y] = map.placeOf(shown);
  const beside = (at, size, room) => {
    const after = at + 14, before = at - 14 - size;
    return Math.max(8, Math.min(after + size > room - 8 && before > 8 ? before : after, room - size - 8));
  };
  card.style.left = beside(area.left + x, card.offsetWidth, innerWidth) + "px";
  card.style.top = beside(area.top + y, card.offsetHeight, innerHeight) + "px";
}

/** Fill the legend; it hides labels from the map. */
const boxes = data.groups.map((group, number) => {
  const entry = document.createElement("label"), box = document.createElement("input");
  const dot = document.createElement("i"), count = document.createElement("small");
  box.type = "checkbox";
  box.checked = true;
  box.onchange = () => { hide(number, !box.checked); };
  dot.style.background = group.colour;
  count.textContent = group.count.toLocaleString("en");
  entry.append(box, dot, group.name, count);
  find("#labels").append(entry);
  return box;
});

function hide(number, isHidden) {
  boxes[number].checked = !isHidden;
  map.hidden[isHidden ? "add" : "delete"](number);
  if (shown >= 0 && map.hidden.has(data.group[shown])) pin(-1);
  map.draw();
}

/** Let the videos stand out in which all words of the search are found. */
function search() {
  const sought = plain(find("[type=search]").value).split(/\s+/).filter(Boolean);
  const isFound = (_, i) => sought.every((word) => texts()[i].includes(word));
  map.matches = sought.length ? data.paths.map(isFound) : null;
  found = sought.length ? [...data.paths.keys()].filter((i) => map.matches[i]) : [];
  find("output").textContent = sought.length ? `${found.length.toLocaleString("en")} found` : "";
  pin(-1);
  map.draw();
}

const plain = (text) => text.normalize("NFC").toLowerCase();
const texts = () => (texts.made ??= data.paths.map((path, i) =>
  plain([path, data.groups[data.group[i]].name, data.transcripts[i]].join("\n"))));

function goToNextFound() {
  const visible = found.filter((i) => !map.hidden.has(data.group[i]));
  if (!visible.length) return;
  const next = visible[(visible.indexOf(shown) + 1) % visible.length];
  map.goTo(next);
  pin(next);
}

find("[type=search]").oninput = search;
find("form").onsubmit = (event) => { event.preventDefault(); goToNextFound(); };
const [zoomIn, zoomOut, showAll] = document.querySelectorAll("#zoom button");
zoomIn.onclick = () => map.zoom();
zoomOut.onclick = () => map.zoom(1 / 1.4);
showAll.onclick = () => map.reset();
document.querySelectorAll("#all button").forEach((button, isNone) => {
  button.onclick = () => boxes.forEach((_, number) => hide(number, Boolean(isNone)));
});
find("#card button").onclick = () => { pin(-1); canvas.focus(); };
onkeydown = (event) => {
  if (event.key !== "Escape" || !isPinned()) return;
  if (card.contains(document.activeElement)) canvas.focus();
  pin(-1);
};
// The card grows when its picture has been loaded.
card.querySelector("img").onload = placeCard;
onresize = placeCard;
