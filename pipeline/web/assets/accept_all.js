// "Accept all above": shows which videos would go where before it moves any of them.

import { post } from "./api.js";
import { openDialog } from "./dialog.js";
import { button, el, fill } from "./dom.js";
import { counted } from "./format.js";
import { move } from "./moves.js";
import { failed, loading } from "./states.js";
import { attempt } from "./toast.js";

const FIRST = 90; // per cent
const PICTURES = 8;
const LATER_MS = 200;

/** Resolves to whether something was moved. */
export function acceptAll() {
  return new Promise((resolve) => {
    let would = [];
    let asked = 0;
    let timer = 0;
    let moved = false;
    const value = el("output", { for: "above" });
    const range = el("input", { type: "range", id: "above", min: 50, max: 99, value: FIRST, oninput: () => {
      clearTimeout(timer);
      value.textContent = `${range.value}%`;
      timer = setTimeout(preview, LATER_MS);
    } });
    const plan = el("div", { class: "plan" });
    const accept = button("Move them", run, { class: "primary", disabled: true });

    async function preview() {
      const mine = ++asked;
      accept.disabled = true;
      try {
        const answer = await post("/api/moves", { above: range.value / 100, preview: true });
        if (mine !== asked) return;
        would = answer.moved;
        draw(answer);
      } catch (error) {
        if (mine === asked) fill(plan, failed(error, preview));
      }
    }

    function draw({ moved: all, left }) {
      const groups = Map.groupBy(all, ({ folder }) => folder);
      accept.disabled = !all.length;
      accept.querySelector("span").textContent = all.length ? `Move ${counted(all.length, "video")}` : "Move them";
      fill(plan,
        el("p", { role: "status" }, all.length
          ? `${counted(all.length, "video")} would move into ${counted(groups.size, "folder")}.`
          : "No suggestion is that certain."),
        left.length > 0 && el("p", { class: "quiet-text" }, `${counted(left.length, "video")} would stay: ${left[0].path}: ${left[0].why}`),
        [...groups].sort((a, b) => b[1].length - a[1].length).map(([name, items]) => el("details", {},
          el("summary", {}, el("strong", {}, name), el("small", {}, counted(items.length, "video")),
            el("span", { class: "thumbs", "aria-hidden": "true" }, items.slice(0, PICTURES).filter(({ content }) => content)
              .map(({ content }) => el("img", { src: `/thumb/${content}`, alt: "" })))),
          el("ul", {}, items.map(({ from, to }) => el("li", {}, `${from} → ${to}`))))));
    }

    async function run() {
      accept.disabled = true;
      const groups = Map.groupBy(would, ({ folder }) => folder);
      const moves = [...groups].map(([folder, items]) => ({ folder, keys: items.map(({ key }) => key) }));
      const done = await attempt(() => move(moves));
      accept.disabled = false;
      if (!done) return;
      moved = done.moved.length > 0;
      dialog.close();
    }

    value.textContent = `${FIRST}%`;
    fill(plan, loading("Looking at the suggestions"));
    const dialog = openDialog("ask", "Accept all above", [
      el("p", { class: "row" }, el("label", { for: "above" }, "Confidence of at least"), range, value), plan,
      el("p", { class: "row end" }, button("Cancel", () => dialog.close()), accept),
    ], () => {
      asked += 1;
      clearTimeout(timer);
      resolve(moved);
    });
    range.focus();
    preview();
  });
}
