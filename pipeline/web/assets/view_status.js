// Status: how the collection and its store stand, what is running now, what failed, and whether this
// machine has what a scan needs.

import { button, el, fill, icon, sentence } from "./dom.js";
import { failureList } from "./failures.js";
import { bytes, count, counted, span } from "./format.js";
import { on } from "./live.js";
import { undo } from "./moves.js";
import { href } from "./router.js";
import { load } from "./states.js";

const SYMBOLS = { ok: "check", warning: "warning", problem: "warning" };

export const title = "Status";

export function mount(root) {
  const control = new AbortController();
  const { signal } = control;
  const numbers = el("section", { "aria-label": "The collection" });
  const run = el("section", { "aria-labelledby": "running-title" });
  const recipes = el("section", { "aria-labelledby": "recipes-title" });
  const failures = el("section", { "aria-labelledby": "failures-title" });
  const doctor = el("section", { "aria-labelledby": "doctor-title" });
  const view = el("div", { class: "view status scroll", tabIndex: 0, role: "region", "aria-label": "Status" }, el("div", { class: "sections" }, numbers, run, failures, recipes, doctor));
  root.append(view);
  let failing = null;

  const ask = (quiet) => load(numbers, "/api/status", show, { signal, quiet });

  function show(now) {
    fill(numbers, equation(now));
    fill(run, running(now));
    fill(recipes, made(now));
    if (now.failed !== failing) {
      failing = now.failed;
      fill(failures, el("h2", { id: "failures-title" }, "Failures"), failureList());
    }
  }

  const findings = el("div");
  const examine = () => load(findings, "/api/doctor", (answer) => fill(findings,
    el("ul", { class: "findings" }, answer.findings.map(finding)), button("Check again", examine)), { signal });

  fill(findings, el("p", { class: "quiet-text" }, "Whether everything is there that a scan needs: packages, devices, weights, folders, disk, table."),
    button("Check now", examine));
  fill(doctor, el("h2", { id: "doctor-title" }, "This machine"), findings);
  const ends = [on("status", show), on("version", () => ask(true))];
  ask(false);
  return {
    update: () => {},
    neighbour: null,
    unmount: () => {
      control.abort();
      ends.forEach((end) => end());
      view.remove();
    },
  };
}

/** on disk = embedded + waiting + failed, as numbers and as one bar. */
function equation(now) {
  const search = (change) => href(change, { view: "search" });
  const parts = [
    ["embedded", now.embedded, "embedded", search({})],
    ["pending", now.pending, "waiting", null],
    ["failed", now.failed, "failed", search({ failed: "1" })],
  ];
  const number = ([kind, n, text, link]) => el(link ? "a" : "span", { class: `number ${kind}${n ? " some" : ""}`, href: link }, el("b", {}, count(n)), text);
  return el("div", {},
    el("h2", {}, "Collection ", el("small", {}, now.data_dir)),
    (now.problem ?? now.refused) && el("p", { class: "remark", role: "alert" }, now.problem ?? now.refused),
    el("p", { class: "equation" }, number(["disk", now.on_disk, "on disk", null]), el("i", {}, "="), number(parts[0]),
      el("i", {}, "+"), number(parts[1]), el("i", {}, "+"), number(parts[2])),
    el("div", { class: "share", "aria-hidden": "true" }, parts.map(([kind, n]) => {
      const part = el("span", { class: kind });
      part.style.flexGrow = n;
      return part;
    })),
    el("p", { class: "quiet-text" },
      el("a", { href: search({ unlabeled: "1" }) }, counted(now.unlabeled, "unlabeled video")), " · ",
      el("a", { href: search({ offline: "1" }) }, `${count(now.offline)} offline`), " · ", now.store,
      now.bytes_on_disk !== null && now.bytes_on_disk !== undefined && ` · ${bytes(now.bytes_on_disk)}`),
    now.undo && el("p", {}, button(`Undo: ${now.undo.text ?? counted(now.undo.moves, "move")}`, () => undo(), { icon: "undo", key: "u" })));
}

function running(now) {
  const work = now.running;
  const head = el("h2", { id: "running-title" }, "Running now");
  if (!work) {
    return [head, el("p", { class: "quiet-text" }, sentence(now.pending && !now.refused
      ? `Nothing. ${counted(now.pending, "video waits", "videos wait")} for \`scan\`.`
      : "Nothing. `watch`, or `web --watch`, embeds videos as they land."))];
  }
  const { files_done: done, files_total: all, rate, left_seconds: left } = work;
  return [head,
    el("p", {}, el("strong", {}, work.command), " ", all ? `${count(done ?? 0)} of ${counted(all, "file")}` : counted(done ?? 0, "file"),
      rate ? `, ${rate < 10 ? rate.toFixed(1) : Math.round(rate)} a second` : "", left ? `, ${span(left)} left` : ""),
    el("progress", { max: all || 1, value: all ? done ?? 0 : null, "aria-label": "Progress" }),
    work.now?.length > 0 && el("ul", { class: "now" }, work.now.map((path) => el("li", {}, path)))];
}

function made({ recipes, refused }) {
  return [
    el("h2", { id: "recipes-title" }, "Recipes"),
    recipes.length ? el("div", { class: "recipes" }, recipes.map((each) => el("dl", {},
      el("dt", {}, counted(each.rows, "video")), el("dd", {}, each.current ? "made with the settings in force" : `made with other settings${refused ? "" : ": the next scan makes them again"}`),
      el("dt", {}, "picture"), el("dd", {}, each.visual),
      el("dt", {}, "words"), el("dd", {}, each.transcript),
      el("dt", {}, "speech"), el("dd", {}, each.speech)))) : el("p", { class: "quiet-text" }, "Nothing is embedded yet."),
  ];
}

function finding({ part, state, text, advice }) {
  return el("li", { class: state }, icon(SYMBOLS[state] ?? "warning"),
    el("div", {}, el("strong", {}, part), el("span", { class: "sr" }, state), " ", text, advice && el("p", { class: "quiet-text" }, advice)));
}
