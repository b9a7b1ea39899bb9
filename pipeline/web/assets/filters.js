// The filters beside the grid. They show what the address says, and change nothing but the address.

import { el, fill } from "./dom.js";
import { folders } from "./folders.js";
import { count, language } from "./format.js";
import { go } from "./router.js";

const KINDS = [[null, "All videos"], ["unlabeled", "Unlabeled"], ["failed", "Failed"], ["offline", "Offline"]];
const OTHERS = { unlabeled: null, failed: null, offline: null };
const NOT_SEARCHED = ["failed", "offline"];
const MANY = 15; // folders, from which on they are looked for
const LENGTHS = [
  ["", "Any length"], ["-15", "Up to 15 s"], ["15-60", "15 to 60 s"], ["60-300", "1 to 5 min"], ["300-", "5 min and more"],
];
const NONE = {
  ...OTHERS, folder: [], language: null, min_seconds: null, max_seconds: null,
  since: null,
};

/** The filters of an address, as the server takes them. */
export const filtersOf = (address) => Object.fromEntries(Object.keys(NONE).map((name) => [name, address[name]]));

/** How many filters are set. */
export const filtersSet = (address) =>
  Object.keys(NONE).filter((name) => name !== "max_seconds" || !address.min_seconds)
    .filter((name) => (name === "folder" ? address.folder.length : address[name])).length;

export const clearFilters = () => go(NONE);

/** The panel: `node` and `update(address)`. */
export function filterPanel() {
  const kind = el("div", { class: "rows" });
  const list = el("div", { class: "rows" });
  const find = el("input", { type: "search", placeholder: "Find a folder", "aria-label": "Find a folder", hidden: true, oninput: narrow });
  const spoken = el("select", { id: "filter-language", onchange: () => go({ language: spoken.value || null }) });
  const length = el("select", { id: "filter-length", onchange: () => {
    const [least, most] = length.value.split("-");
    go({ min_seconds: least || null, max_seconds: most || null });
  } }, LENGTHS.map(([value, text]) => el("option", { value }, text)));
  const since = el("input", { type: "date", id: "filter-since", onchange: () => go({ since: since.value || null }) });
  const node = el("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    el("fieldset", {}, el("legend", {}, "Show"), kind),
    el("label", { for: "filter-language" }, "Language"), spoken,
    el("label", { for: "filter-length" }, "Length"), length,
    el("label", { for: "filter-since" }, "Changed since"), since,
    el("fieldset", { class: "folders" }, el("legend", {}, "Folders"), find, list));

  kind.append(...KINDS.map(([name, text]) => el("label", {}, el("input", {
    type: "radio", name: "kind", value: name ?? "",
    onchange: () => go({ ...OTHERS, ...(name && { [name]: "1", ...(name === "unlabeled" && { folder: [] }) }), ...(NOT_SEARCHED.includes(name) && { text: null, like: null, picture: null }) }),
  }), el("span", {}, text), el("small", {}))));

  function narrow() {
    const wanted = find.value.trim().toLowerCase();
    for (const row of list.children) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }

  async function update(address) {
    const chosen = KINDS.find(([name]) => name && address[name])?.[0] ?? "";
    for (const input of kind.querySelectorAll("input")) input.checked = input.value === chosen;
    length.value = address.min_seconds || address.max_seconds
      ? `${address.min_seconds ?? ""}-${address.max_seconds ?? ""}` : "";
    since.value = address.since?.slice(0, 10) ?? "";
    const known = await folders().catch(() => null);
    if (!known || !node.isConnected) return;
    const { unlabeled, failed, offline } = known;
    counts(kind, { "": known.folders.reduce((sum, each) => sum + each.videos, unlabeled), unlabeled, failed, offline });
    const names = known.folders.map(({ name }) => name);
    const gone = address.folder.filter((name) => !names.includes(name)).map((name) => ({ name, videos: 0 }));
    sync(list, [...known.folders, ...gone], address.folder);
    find.hidden = known.folders.length < MANY;
    narrow();
    fill(spoken, el("option", { value: "" }, "Any language"),
      known.languages.map(({ code, videos }) => el("option", { value: code }, `${language(code)} (${count(videos)})`)));
    spoken.value = address.language ?? "";
  }

  return { node, update };
}

function counts(rows, of) {
  for (const input of rows.querySelectorAll("input")) {
    const number = of[input.value];
    input.parentNode.querySelector("small").textContent = number === undefined ? "" : count(number);
  }
}

/** Rows of folders; those that are there already stay, and with them the focus. */
function sync(list, all, chosen) {
  const rows = new Map([...list.children].map((row) => [row.querySelector("input")?.value, row]));
  list.replaceChildren(...all.map(({ name, videos }) => {
    const row = rows.get(name) ?? el("label", { title: name }, el("input", {
      type: "checkbox", value: name,
      onchange: (event) => {
        const others = new Set([...list.querySelectorAll("input:checked")].map((input) => input.value));
        others[event.target.checked ? "add" : "delete"](name);
        go({ folder: [...others], unlabeled: null });
      },
    }), el("span", {}, name), el("small", {}));
    row.querySelector("input").checked = chosen.includes(name);
    row.querySelector("small").textContent = count(videos);
    return row;
  }));
  if (!all.length) list.append(el("p", { class: "quiet-text" }, "No folders yet."));
}
