// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]];

export const count = (n) => whole.format(n);

/** "1 video", "1,204 videos". */
export const counted = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** Seconds as 0:07, 12:05 or 1:02:03. */
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds || 0));
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  return s < 3600
    ? `${minutes}:${two(s % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`;
}

/** A share of 1 in per cent; never 100% or 0% for what is not quite. */
export function percent(share) {
  const value = Math.round(share * 100);
  return `${share < 1 && value === 100 ? 99 : share > 0 && value === 0 ? 1 : value}%`;
}

/** How long something still takes: "40 s", "12 min", "3 h 5 min". */
export function span(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** A time as seen from now: "3 minutes ago". */
export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return "";
  const unit = UNITS.find(([, length]) => Math.abs(seconds) >= length);
  return unit ? relative.format(Math.round(seconds / unit[1]), unit[0]) : "just now";
}

export function bytes(n) {
  const power = Math.max(0, Math.min(4, Math.floor(Math.log10(n || 1) / 3)));
  const value = n / 1000 ** power;
  return `${value < 10 && power ? value.toFixed(1) : Math.round(value)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

/** The name of a language, or its code where the browser knows none. */
export function language(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}
