// Moves files, and takes moves back. The words for what happened are the same in every view.

import { post } from "./api.js";
import { counted } from "./format.js";
import { forgetFolders } from "./folders.js";
import { tell } from "./live.js";
import { attempt, toast } from "./toast.js";

/** Moves videos into folders as one batch; `moves` is a list of `{keys, folder}`. */
export async function move(moves, { quiet = false } = {}) {
  const done = settled(await post("/api/moves", { moves }));
  const to = [...new Set(moves.map(({ folder }) => folder ?? "unlabeled"))];
  const where = to.length === 1 ? to[0] : counted(to.length, "folder");
  if (!done.left.length && !quiet) toast(`${counted(done.moved.length, "video")} moved to ${where}.`, { action: ["Undo", () => undo(done.batch), "u"] });
  return done;
}

/** Takes a batch back, the newest if none is named, and says what that was. */
export async function undo(batch = null) {
  const done = await attempt(async () => settled(await post("/api/undo", { batch })));
  if (!done) return { moved: [], left: [] };
  if (!done.left.length) toast(done.moved.length ? `${counted(done.moved.length, "video")} moved back.` : "There is nothing to undo.");
  return done;
}

/** Tells everybody of what has moved, and says what has not. */
function settled(done) {
  const { moved, left } = done;
  if (moved.length) {
    forgetFolders();
    tell("moved", moved);
  }
  if (left.length) {
    const others = left.length > 1 ? `, and ${left.length - 1} more` : "";
    toast(`${moved.length ? `${counted(moved.length, "video")} moved; ` : ""}not moved: ${left[0].path}: ${left[0].why}${others}.`, { error: true });
  }
  return done;
}
