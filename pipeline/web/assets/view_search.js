// Search: one box, filters, and a grid of what was found; with nothing asked, the whole collection.

import { get } from "./api.js";
import { button, el, fill } from "./dom.js";
import { CELL, FOUND_CELL, makeCard } from "./card.js";
import { retryButton } from "./failures.js";
import { clearFilters, filterPanel, filtersOf, filtersSet } from "./filters.js";
import { count, counted } from "./format.js";
import { blanks, Grid } from "./grid.js";
import { stop as stopHover } from "./hover.js";
import { bind } from "./keys.js";
import { on } from "./live.js";
import { go, keep, kept, NEW_QUESTION } from "./router.js";
import { searchBox, takePictures } from "./search_box.js";
import { selection } from "./selection.js";
import { failed, loading, notice } from "./states.js";
import { complain } from "./toast.js";

const ORDERS = [["path", "By name"], ["new", "Newest first"], ["long", "Longest first"]];
const MOST_FOUND = 500; // that the server gives
const MOVES = "ArrowLeft|ArrowRight|ArrowUp|ArrowDown|PageUp|PageDown|Home|End";

export const title = "Search";

export function mount(root, address) {
  const answered = el("p", { class: "answered", role: "status" });
  const body = el("div", { class: "body" });
  const panel = filterPanel();
  const chosen = selection(() => grid?.each(mark));
  const box = searchBox();
  const order = el("select", { "aria-label": "Order", onchange: () => go({ order: order.value === "path" ? null : order.value }) },
    ORDERS.map(([value, text]) => el("option", { value }, text)));
  const narrow = button("Filters", () => {
    const open = side.classList.toggle("open");
    narrow.setAttribute("aria-expanded", String(open));
  }, { icon: "filter", class: "narrow", "aria-expanded": "false" });
  const clear = button("Clear filters", clearFilters, { class: "link" });
  const retry = retryButton(() => grid?.refresh());
  const side = el("aside", { class: "side", "aria-label": "Filters" }, panel.node);
  const view = el("div", { class: "view search" }, box.node, side,
    el("div", { class: "results" }, el("div", { class: "bar" }, answered, clear, retry, narrow, order), body, chosen.node));
  root.append(view);

  let grid = null;
  let asked = null;
  let last = -1;
  const ends = [
    bind("Search", [
      ["/", "write in the search box", () => box.focus()],
      [MOVES, null, (event, key) => grid?.move(key)],
      ["←→↑↓", "go from video to video; Enter opens one", () => false],
      ["l", "more like this", () => withFocus((card) => go({ ...NEW_QUESTION, like: card.item.video.key }))],
      ["x|Space", "select this video", () => withFocus((card) => choose(card.item.video.key))],
      ["a", "select all that are loaded here", () => chosen.set(loadedKeys())],
      ...chosen.keys,
    ]),
    on("version", () => { panel.update(now); grid?.refresh(); }),
    on("moved", () => { panel.update(now); grid?.refresh(); }),
  ];
  let now = address;

  function withFocus(run) {
    const card = document.activeElement?.closest(".card");
    if (!card?.item || card.item.video.failure) return false;
    run(card);
    return true;
  }

  function choose(key, range = false) {
    const at = grid.indexOf(key);
    if (range && last >= 0) {
      const [from, to] = [Math.min(at, last), Math.max(at, last)];
      const keys = Array.from({ length: to - from + 1 }, (_, i) => grid.item(from + i)?.video.key);
      chosen.set(keys.filter(Boolean));
    } else {
      chosen.toggle(key);
    }
    last = at;
  }

  const loadedKeys = () => [...grid.pages.values()].flatMap((items) => items ?? [])
    .filter(({ video }) => !video.failure).map(({ video }) => video.key);

  function mark(card, item) {
    const on = chosen.has(item.video.key);
    card.classList.toggle("on", on);
    const input = card.querySelector(".choose");
    if (input) input.checked = on;
  }

  function update(next) {
    now = next;
    box.update(next);
    panel.update(next);
    const set = filtersSet(next);
    clear.hidden = !set;
    narrow.querySelector("span").textContent = set ? `Filters (${set})` : "Filters";
    order.value = next.order ?? "path";
    order.hidden = isSearch(next);
    retry.hidden = !next.failed;
    const question = questionOf(next);
    if (JSON.stringify(question) === JSON.stringify(asked)) return;
    asked = question;
    last = -1;
    chosen.clear();
    ask(question);
  }

  async function ask({ path, params }) {
    grid?.close();
    grid = null;
    stopHover();
    clearTimeout(keeping);
    const found = path === "/api/search";
    const cell = found || params.failed ? FOUND_CELL : CELL;
    const scroller = el("div", { class: "scroll coming" });
    const top = kept("scroll") ?? 0;
    let first = null;
    body.classList.add("old");
    if (!body.children.length) body.append(el("div", { class: "scroll waiting" }, blanks(cell)));
    body.append(scroller);
    const mine = grid = new Grid(scroller, {
      cell, label: found ? "Videos found" : "Videos",
      load: async (offset, limit, signal) => {
        const answer = await get(path, { ...params, offset, limit }, { signal, waiting: (text) => waiting(text) });
        if (!offset) first = answer;
        return { total: answer.total, items: answer.hits ?? answer.videos.map((video) => ({ video })) };
      },
      make: (item) => {
        const card = makeCard(item, { choice: item.video.failure ? null : chosen, found, onChoose: (event) => choose(item.video.key, event.shiftKey) });
        card.classList.toggle("on", chosen.has(item.video.key));
        return card;
      },
      onTotal: () => mine === grid && say(first, found, params),
      onError: (error) => (mine === grid && !first ? problem(error) : complain(error)),
    });
    await mine.start(top);
    if (mine !== grid || !first) return;
    body.classList.remove("old");
    scroller.classList.remove("coming");
    for (const old of [...body.children]) if (old !== scroller) old.remove();
    scroller.addEventListener("scroll", () => remember(scroller), { passive: true });
    if (first.total === 0) scroller.prepend(empty(first, found));
    else if (first.weak) scroller.prepend(weak(first));
  }

  let keeping = 0;
  function remember(scroller) {
    stopHover();
    clearTimeout(keeping);
    keeping = setTimeout(() => keep({ scroll: scroller.scrollTop }), 200);
  }

  function waiting(text) {
    if (!body.querySelector(".loading")) {
      for (const old of body.querySelectorAll(".scroll:not(.coming)")) old.remove();
      body.append(loading(text));
      answered.textContent = "";
    }
    body.querySelector(".loading p").textContent = text;
    body.classList.remove("old");
  }

  function problem(error) {
    body.classList.remove("old");
    answered.textContent = "";
    fill(body, failed(error, () => ask(asked)));
  }

  function say(first, found, params) {
    const { total, good } = first;
    if (params.failed) answered.textContent = `${counted(total, "video")} could not be embedded`;
    else if (!found) answered.textContent = counted(total, "video");
    else {
      const most = total >= MOST_FOUND ? `The best ${count(total)} videos` : `${counted(total, "video")} found`;
      answered.textContent = good > 0 && good < total ? `${most}, ${count(good)} of them match${good === 1 ? "es" : ""} well` : most;
    }
  }

  function empty(first, found) {
    const remark = first.remark;
    if (found) {
      return notice("search", first.weak ? "Nothing matches well" : "Nothing found", remark ?? "No video matches.",
        first.weak && button("Show the nearest", () => go({ nearest: "1" }), { class: "primary" }),
        filtersSet(now) > 0 && button("Clear filters", clearFilters));
    }
    if (now.failed && filtersSet(now) === 1) return notice("check", "Nothing failed", "Every video that was tried is embedded.");
    if (filtersSet(now)) {
      return notice("filter", "No such videos", "No video fits these filters.", button("Clear filters", clearFilters, { class: "primary" }));
    }
    return notice("film", "No videos yet", remark ?? "Put videos into the collection's folder, and run `scan`. They appear here as they are embedded.");
  }

  const weak = (first) => el("p", { class: "remark", role: "status" },
    first.remark ?? "Nothing matches well; these are the nearest.");

  ends.push(takePictures(view));
  update(address);

  return {
    update,
    neighbour: (key, by) => {
      const at = grid ? grid.indexOf(key) : -1;
      const item = at < 0 ? null : grid.item(at + by);
      if (item) grid.reveal(at + by);
      return item ? { key: item.video.key, at: item.why?.seconds ?? null } : null;
    },
    unmount: () => {
      clearTimeout(keeping);
      stopHover();
      grid?.close();
      ends.forEach((end) => end());
      view.remove();
    },
  };
}

const isSearch = ({ text, like, picture }) => Boolean(text || like || picture);

/** What an address asks the server. */
function questionOf(address) {
  const { text, by, like, picture, nearest, order } = address;
  const filters = filtersOf(address);
  if (!isSearch(address)) return { path: "/api/videos", params: { ...filters, order } };
  const part = like ? { like } : picture ? { picture } : by === "words" ? { words: text } : { text };
  return { path: "/api/search", params: { ...part, by: by === "words" ? null : by, nearest, ...filters } };
}
