// A virtual grid: of any number of items, only those in view and half a screen to either side are
// in the page. Cells have one size, so nothing moves when an answer comes.

import { el, fill } from "./dom.js";

const PAGE = 100;
const MOST_CARDS = 298; // and at most two that hold the focus or a menu
const MOST_PAGES = 40;
const TALLEST = 8_000_000; // pixels; browsers stop laying out boxes beyond some 16 million
const SETTLE_MS = 50; // pages that are only scrolled past are not asked for
const GAP = 12;

export class Grid {
  /**
   * @param scroller the element that scrolls
   * @param cell `{width, extra, ratio}`: least width in pixels; height of the text; width to height
   * @param load `(offset, limit, signal)` to a promise of `{total, items}`
   * @param make `(item, index)` to an element
   * @param onTotal hears the total of each answer
   * @param onError hears what went wrong
   */
  constructor(scroller, { cell, load, make, label, onTotal, onError }) {
    Object.assign(this, { scroller, cell, load, make, onTotal, onError });
    this.pages = new Map(); // number -> items, or null while they are on their way
    this.cards = new Map(); // index -> element
    this.total = 0;
    this.current = 0; // the card that the Tab key reaches
    this.asked = 0;
    this.list = el("div", { class: "grid", role: "list", "aria-label": label });
    scroller.append(this.list);
    this.control = new AbortController();
    const { signal } = this.control;
    scroller.addEventListener("scroll", () => this.draw(), { passive: true, signal });
    this.list.addEventListener("focusin", (event) => this.#focused(event), { signal });
    this.sizes = new ResizeObserver(() => this.#resized());
    this.sizes.observe(scroller);
    this.#measure();
  }

  /** Begins with the first answer, or with what another grid of the same question has kept. */
  async start(top = 0) {
    await this.#fetch(0);
    if (this.control.signal.aborted) return;
    this.#layOut();
    this.scroller.scrollTop = top;
    this.draw();
  }

  close() {
    this.control.abort();
    this.sizes.disconnect();
    clearTimeout(this.timer);
    this.list.remove();
  }

  /** Asks again for what is in view, and changes only what has changed. */
  async refresh() {
    const shown = new Set([...this.cards.keys()].map((index) => Math.floor(index / PAGE)));
    for (const number of this.pages.keys()) if (!shown.has(number)) this.pages.delete(number);
    await Promise.all([...(shown.size ? shown : [0])].map((number) => this.#fetch(number)));
    if (this.control.signal.aborted) return;
    this.#layOut();
    this.draw();
  }

  item(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Calls `change(card, item)` for every card in the page. */
  each(change) {
    for (const [index, card] of this.cards) if (card.item) change(card, card.item, index);
  }

  indexOf(key) {
    for (const [number, items] of this.pages) {
      const at = items?.findIndex((item) => item.video.key === key) ?? -1;
      if (at >= 0) return number * PAGE + at;
    }
    return -1;
  }

  /** Moves the focus; `by` is "ArrowLeft", "PageDown", "Home" and so on. */
  move(by) {
    if (!this.total) return;
    const { columns, rows } = this.size;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
      PageUp: -columns * rows, PageDown: columns * rows, Home: -this.total, End: this.total,
    };
    const inside = this.list.contains(document.activeElement);
    this.focus(inside ? this.current + steps[by] : this.current);
  }

  focus(index) {
    this.current = Math.max(0, Math.min(this.total - 1, index));
    this.reveal(this.current);
    this.cards.get(this.current)?.querySelector("a, [tabindex]")?.focus({ preventScroll: true });
  }

  /** Scrolls as little as it takes to show a card. */
  reveal(index) {
    const { columns, step, height, view, ratio } = this.size;
    const top = Math.floor(index / columns) * step;
    const now = this.scroller.scrollTop * ratio;
    if (top < now) this.scroller.scrollTop = Math.max(0, top - GAP) / ratio;
    else if (top + height > now + view) this.scroller.scrollTop = (top + height + 2 * GAP - view) / ratio;
    this.draw();
  }

  draw() {
    const { columns, width, step, view, ratio } = this.size;
    if (!columns) return;
    const top = this.scroller.scrollTop;
    const at = top * ratio; // a grid too tall for a browser is scrolled in larger steps
    const from = Math.max(0, Math.floor((at - view / 2) / step)) * columns;
    const until = Math.min(this.total, Math.ceil((at + view * 1.5) / step) * columns);
    const first = Math.max(from, Math.min(Math.floor(at / step) * columns, until - MOST_CARDS));
    const range = until - from <= MOST_CARDS ? [from, until] : [first, Math.min(until, first + MOST_CARDS)];
    for (const [index, card] of this.cards) {
      const away = index < range[0] || index >= range[1];
      if (index >= this.total || (away && !card.contains(document.activeElement))) {
        card.remove();
        this.cards.delete(index);
      }
    }
    const wanted = new Set();
    for (let index = range[0]; index < range[1]; index++) {
      const card = this.#card(index);
      const x = (index % columns) * (width + GAP);
      const y = Math.floor(index / columns) * step - at + top;
      card.style.transform = `translate(${x}px, ${y}px)`;
      if (!card.item) wanted.add(Math.floor(index / PAGE));
    }
    this.#want([...wanted].filter((number) => !this.pages.has(number)));
  }

  #card(index) {
    const item = this.item(index);
    let card = this.cards.get(index);
    if (card && (!item || card.item === item || same(card.item, item))) return card;
    const fresh = item ? this.make(item, index) : el("div", { class: "card blank", role: "listitem" });
    fresh.item = item;
    fresh.setAttribute("aria-posinset", index + 1);
    fresh.setAttribute("aria-setsize", this.total);
    const link = fresh.querySelector("a");
    if (link) link.tabIndex = index === this.current ? 0 : -1;
    if (card) {
      const focused = card.contains(document.activeElement);
      card.replaceWith(fresh);
      if (focused) link?.focus({ preventScroll: true });
    } else {
      this.list.append(fresh);
    }
    this.cards.set(index, fresh);
    return fresh;
  }

  /** Asks for pages, at once if nothing was asked for a moment ago, else when scrolling rests. */
  #want(numbers) {
    clearTimeout(this.timer);
    if (!numbers.length) return;
    const wait = Math.max(0, SETTLE_MS - (performance.now() - this.asked));
    this.asked = performance.now();
    const ask = () => numbers.forEach((number) => this.#fetch(number).then(() => this.draw()));
    if (wait) this.timer = setTimeout(ask, wait);
    else ask();
  }

  async #fetch(number) {
    if (!this.pages.has(number)) this.pages.set(number, null);
    try {
      const { total, items } = await this.load(number * PAGE, PAGE, this.control.signal);
      if (this.control.signal.aborted) return;
      this.pages.set(number, items);
      for (const old of this.pages.keys()) {
        if (this.pages.size <= MOST_PAGES) break;
        if (old !== number) this.pages.delete(old);
      }
      if (total !== this.total) {
        this.total = total;
        this.#layOut();
      }
      this.onTotal?.(total);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (this.pages.get(number) === null) this.pages.delete(number);
      this.onError?.(error);
    }
  }

  #focused(event) {
    const card = event.target.closest(".card");
    for (const [index, each] of this.cards) {
      const link = each.querySelector("a");
      if (link) link.tabIndex = each === card ? 0 : -1;
      if (each === card) this.current = index;
    }
  }

  #resized() {
    const { columns, step, ratio } = this.size;
    const first = Math.round((this.scroller.scrollTop * (ratio || 1)) / (step || 1)) * (columns || 1);
    this.#measure();
    this.#layOut();
    if (columns && columns !== this.size.columns) {
      this.scroller.scrollTop = (Math.floor(first / this.size.columns) * this.size.step) / this.size.ratio;
    }
    this.draw();
  }

  #measure() {
    const style = getComputedStyle(this.scroller);
    const inner = this.scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const view = this.scroller.clientHeight;
    const columns = Math.max(1, Math.floor((inner + GAP) / (this.cell.width + GAP)));
    const width = Math.floor((inner - GAP * (columns - 1)) / columns);
    const height = Math.round(width / this.cell.ratio) + this.cell.extra;
    const step = height + GAP;
    const rows = Math.max(1, Math.floor(view / step));
    this.size = inner > 0 ? { columns, width, height, step, view, rows, ratio: 1 } : {};
    this.list.style.setProperty("--cell-width", `${width}px`);
    this.list.style.setProperty("--cell-height", `${height}px`);
    this.list.style.setProperty("--cell-extra", `${this.cell.extra}px`);
  }

  #layOut() {
    const { columns, step, view } = this.size;
    if (!columns) return;
    const tall = Math.ceil(this.total / columns) * step;
    const box = Math.min(tall, TALLEST);
    this.size.ratio = tall > TALLEST ? (tall - view) / (box - view) : 1;
    this.list.style.height = `${box}px`;
  }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Blank cards while the first answer is on its way. */
export function blanks(cell) {
  const node = el("div", { class: "blanks", "aria-hidden": "true" });
  node.style.setProperty("--cell-min", `${cell.width}px`);
  node.style.setProperty("--cell-extra", `${cell.extra}px`);
  return fill(node, Array.from({ length: 24 }, () => el("div", { class: "card blank" })));
}
