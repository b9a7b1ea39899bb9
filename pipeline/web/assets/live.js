// What happens while the page is open: the server tells of new versions of the table, of a running
// scan, and of the model that is being loaded. Also whether the server answers at all.

const AGAIN_MS = 2000;
const REST_MS = 1500;
const target = new EventTarget();
let online = true;

/** Calls `listener(value)` for "version", "status", "model" and "online"; returns how to stop. */
export function on(name, listener) {
  const heard = (event) => listener(event.detail);
  target.addEventListener(name, heard);
  return () => target.removeEventListener(name, heard);
}

/** Like `on`, but once for many that come together, when a moment has passed without one. */
export function onRest(names, run) {
  let timer = 0;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(run, REST_MS);
  };
  const ends = names.map((name) => on(name, heard));
  return () => {
    clearTimeout(timer);
    ends.forEach((end) => end());
  };
}

/** Tells everybody, as if the server had. */
export function tell(name, detail) {
  target.dispatchEvent(new CustomEvent(name, { detail }));
}

export const isOnline = () => online;

export function connect() {
  const source = new EventSource("/api/events");
  source.onopen = () => setOnline(true);
  source.onmessage = (event) => {
    for (const [name, value] of Object.entries(JSON.parse(event.data))) tell(name, value);
  };
  source.onerror = () => {
    setOnline(false);
    source.close();
    setTimeout(connect, AGAIN_MS);
  };
}

function setOnline(now) {
  if (now === online) return;
  online = now;
  tell("online", now);
}
