// The page: the views and their place in the header, the player above them, and what is the same
// everywhere.

import { get } from "./api.js";
import { button, el, fill, icon } from "./dom.js";
import { folders } from "./folders.js";
import { count, counted, span } from "./format.js";
import { showKeys } from "./help.js";
import { bind } from "./keys.js";
import { connect, on, onRest, tell } from "./live.js";
import { undo } from "./moves.js";
import * as player from "./player.js";
import { address, goTo, onChange, viewHref } from "./router.js";
import * as map from "./view_map.js";
import * as review from "./view_review.js";
import * as search from "./view_search.js";
import * as sort from "./view_sort.js";
import * as status from "./view_status.js";

const VIEWS = { search, sort, review, map, status };
const KEYS = { search: "s", sort: "o", review: "r", map: "m", status: "t" };
const main = document.getElementById("main");
const nav = document.querySelector("#top nav");
let name = null;
let view = null;

for (const [each, { title }] of Object.entries(VIEWS)) {
  nav.append(el("a", { href: viewHref(each), "data-view": each, title: `${title} (g ${KEYS[each]})` },
    icon(each), el("span", {}, title), el("small", { class: "badge" })));
}
document.getElementById("top").append(
  button("Keys", showKeys, { icon: "keys", bare: true, class: "quiet keys", key: "?" }));

function update(now) {
  const wanted = VIEWS[now.view] ? now.view : "search";
  if (wanted !== name) {
    view?.unmount();
    name = wanted;
    main.replaceChildren();
    main.dataset.view = name;
    document.title = `${VIEWS[name].title} · video-vectors`;
    document.querySelector("h1").textContent = VIEWS[name].title;
    for (const link of nav.children) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    view = VIEWS[name].mount(main, now);
  } else {
    view.update(now);
  }
  player.update(now, view.neighbour);
}

async function badges() {
  const { unlabeled } = await folders().catch(() => ({ unlabeled: 0 }));
  badge("sort", unlabeled);
}

function badge(each, number) {
  nav.querySelector(`[data-view=${each}] .badge`).textContent = number ? count(number) : "";
}

/** What a scan or watch is doing, in a few words. */
function running(now) {
  const node = document.getElementById("running");
  const run = now?.running;
  node.classList.toggle("on", Boolean(run));
  badge("status", now?.failed);
  fill(node, run && [
    el("span", { class: "dot", "aria-hidden": "true" }), run.command,
    run.files_total ? ` ${count(run.files_done)} of ${count(run.files_total)}` : "",
    run.left_seconds ? `, ${span(run.left_seconds)} left` : "",
  ], now?.behind > 0 && ` · rows of ${counted(now.behind, "moved video")} follow when the other writer is done`);
}

bind("Everywhere", [
  ...Object.entries(KEYS).map(([each, key]) => [`g ${key}`, VIEWS[each].title, () => goTo(viewHref(each))]),
  ["u", "undo the last move", () => { undo(); }],
  ["?", "these keys", showKeys],
]);
onChange(update);
onRest(["version", "moved"], badges);
on("status", running);
on("online", (online) => {
  document.getElementById("offline").hidden = online;
  if (online) tell("version", null); // what was missed meanwhile
});
update(address());
badges();
get("/api/status").then((now) => tell("status", now)).catch(() => {});
connect();
