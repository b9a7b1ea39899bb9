// Points on a canvas: zoom, pan, pick the nearest, draw round a region. Asks no host for anything.
//
//     const map = new PointMap(canvas, points, { hover, open, region });
//     points: { x, y: numbers in any unit, y upwards; group: a number each; colours: one a group }
//
// Groups are drawn from the last to the first, so the last lies behind. Drag to pan, wheel or pinch
// to zoom, click or Enter to open, Shift and drag for a region; arrow keys go from point to point.

const MARGIN = 24; // CSS pixels around the points
const REACH = 14; // farthest that a point is picked from
const STILL = 4; // a press that moves no farther is a click
const STEP = 1.4; // of a key or a button that zooms
const MOST = 400; // zoom
const FAINT = 0.1;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class PointMap {
  /** Numbers of the groups that are neither drawn nor picked. After a change, call `draw`. */
  hidden = new Set();
  /** A truth value for each point, or null. Points that do not match are faint and not picked. */
  matches = null;
  /** Points with a ring around them. */
  selected = new Set();
  /** Whether dragging draws round a region, as it does with Shift. */
  drawsRegion = false;
  /** The point under the mouse or the keys; -1 for none. */
  current = -1;

  #canvas; #context; #does; #observer; #points; #order;
  #stopped = new AbortController();
  #box = { width: 0, height: 0 };
  #fit = { x: 0, y: 0, wide: 0, high: 0 };
  #zoom = 1;
  #middle = [0, 0];
  #pressed = new Map();
  #region = null;
  #isDrag = false;
  #frame = 0;

  /**
   * @param {HTMLCanvasElement} canvas - sized by its style; gets the keys when it is focusable.
   * @param {{x: ArrayLike<number>, y: ArrayLike<number>, group: ArrayLike<number>,
   *          colours: string[]}} points
   * @param {{hover?: (point: number) => void, open?: (point: number) => void,
   *          region?: (points: number[]) => void}} does - -1 stands for no point.
   */
  constructor(canvas, points, does = {}) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#does = does;
    canvas.style.touchAction = "none";
    const on = (name, act) =>
      canvas.addEventListener(name, act.bind(this), { signal: this.#stopped.signal, passive: false });
    on("pointerdown", this.#press);
    on("pointermove", this.#move);
    on("pointerup", this.#release);
    on("pointercancel", this.#release);
    on("pointerleave", (event) => event.pointerType === "mouse" && !this.#pressed.size && this.#hover(-1));
    on("wheel", this.#wheel);
    on("keydown", this.#key);
    this.#observer = new ResizeObserver(() => this.draw());
    this.#observer.observe(canvas);
    this.setPoints(points);
  }

  /** Take other points. The zoom stays; what is selected, matched and current does not. */
  setPoints(points) {
    this.#points = points;
    const { group } = points;
    this.#order = Uint32Array.from(group, (_, i) => i).sort((a, b) => group[b] - group[a] || a - b);
    const [left, right] = extent(points.x), [low, high] = extent(points.y);
    this.#fit = { x: (left + right) / 2, y: (low + high) / 2, wide: right - left, high: high - low };
    if (this.#zoom === 1) this.#middle = [this.#fit.x, this.#fit.y];
    this.matches = null;
    this.selected = new Set();
    this.current = -1;
    this.draw();
  }

  /** Draw in the next frame, however often it is called. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#paint(); });
  }

  /** Zoom by a factor around a place on the canvas; its middle if none is given. */
  zoom(factor = STEP, [x, y] = [this.#box.width / 2, this.#box.height / 2]) {
    const before = this.#zoom;
    this.#zoom = Math.min(Math.max(before * factor, 1), MOST);
    const kept = this.#scale() * (before / this.#zoom), now = this.#scale();
    const away = [x - this.#box.width / 2, this.#box.height / 2 - y];
    this.#centre(this.#middle.map((at, axis) => at + away[axis] / kept - away[axis] / now));
  }

  /** Show everything. */
  reset() {
    this.#zoom = 1;
    this.#centre([this.#fit.x, this.#fit.y]);
  }

  /** Make a point current, and move the map where it is out of sight. */
  goTo(point) {
    const [x, y] = this.placeOf(point);
    const { width, height } = this.#box;
    if (x < 0 || y < 0 || x > width || y > height) {
      this.#centre([this.#points.x[point], this.#points.y[point]]);
    }
    this.#hover(point);
  }

  /** Return where a point is on the canvas, in CSS pixels. */
  placeOf(point) {
    return this.#places()(point);
  }

  /** Return the point that can be picked nearest to a place on the canvas; -1 for none in reach. */
  nearest(x, y, reach = REACH) {
    return this.#least((px, py) => (px - x) ** 2 + (py - y) ** 2, reach ** 2); // quicker than a root
  }

  /** Stop listening. */
  close() {
    this.#stopped.abort();
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** Return a function from a point to its place, for as long as nothing moves. */
  #places() {
    const { x, y } = this.#points, { width, height } = this.#box, scale = this.#scale();
    const left = width / 2 - this.#middle[0] * scale, top = height / 2 + this.#middle[1] * scale;
    return (point) => [left + x[point] * scale, top - y[point] * scale];
  }

  #isPickable(point) {
    return !this.hidden.has(this.#points.group[point]) && (!this.matches || this.matches[point]);
  }

  /** Return the pickable point of the least cost, which is given its place, up to a limit. */
  #least(cost, limit = Infinity) {
    const placeOf = this.#places();
    let best = -1;
    for (let i = 0; i < this.#order.length; i++) {
      if (!this.#isPickable(i)) continue;
      const [x, y] = placeOf(i), at = cost(x, y, i);
      if (at <= limit && at < Infinity) { best = i; limit = at; }
    }
    return best;
  }

  #scale() {
    const { width, height } = this.#box, { wide, high } = this.#fit;
    const room = (size, extent) => Math.max(size - 2 * MARGIN, 1) / Math.max(extent, 1e-9);
    return Math.min(room(width, wide), room(height, high)) * this.#zoom;
  }

  /** Put a place of the points into the middle, and keep the middle among the points. */
  #centre([x, y]) {
    const { x: fx, y: fy, wide, high } = this.#fit;
    const share = 1 - 1 / this.#zoom; // all is in sight at 1
    const within = (at, middle, size) => Math.min(Math.max(at, middle - size), middle + size);
    this.#middle = [within(x, fx, (wide / 2) * share), within(y, fy, (high / 2) * share)];
    this.draw();
  }

  #hover(point) {
    if (point === this.current) return;
    this.current = point;
    this.draw();
    this.#does.hover?.(point);
  }

  #press(event) {
    if (event.button) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pressed.set(event.pointerId, at(event));
    const isRegion = (this.drawsRegion || event.shiftKey) && this.#pressed.size === 1;
    this.#region = isRegion ? [at(event)] : null;
    this.#isDrag = this.#pressed.size > 1;
  }

  #move(event) {
    const place = at(event), before = this.#pressed.get(event.pointerId);
    if (!before) return void this.#hover(this.nearest(...place));
    if (!this.#isDrag && distance(place, before) <= STILL) return;
    this.#isDrag = true;
    if (this.#region) {
      this.#region.push(place);
      this.draw();
    } else {
      this.#drag(event.pointerId, before, place);
    }
    this.#pressed.set(event.pointerId, place);
  }

  /** Move the map with one finger or the mouse; two fingers also zoom it. */
  #drag(pointer, before, place) {
    const other = [...this.#pressed].find(([id]) => id !== pointer)?.[1];
    if (other) { // first, since there is nothing to move where all is in sight
      const middle = [(before[0] + other[0]) / 2, (before[1] + other[1]) / 2];
      this.zoom(distance(place, other) / Math.max(distance(before, other), 1), middle);
    }
    const scale = this.#scale() * (other ? 2 : 1); // the middle between two moves half as far
    const [x, y] = this.#middle;
    this.#centre([x - (place[0] - before[0]) / scale, y + (place[1] - before[1]) / scale]);
  }

  #release(event) {
    if (!this.#pressed.delete(event.pointerId)) return;
    const region = this.#region;
    this.#region = null;
    this.draw();
    if (event.type === "pointercancel") return;
    if (region && this.#isDrag) {
      this.#does.region?.(this.#inside(region));
    } else if (!this.#isDrag) {
      const point = this.nearest(...at(event));
      this.#hover(point);
      this.#does.open?.(point);
    }
  }

  #inside(region) {
    const outline = new Path2D(), context = this.#context;
    region.forEach(([x, y]) => outline.lineTo(x, y));
    const isIn = (i) => context.isPointInPath(outline, ...this.placeOf(i), "evenodd");
    return [...this.#order.keys()].filter((i) => this.#isPickable(i) && isIn(i));
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    this.zoom(Math.exp(-pixels / (event.ctrlKey ? 100 : 400)), at(event)); // a pinched pad has Ctrl
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ARROWS) this.#step(ARROWS[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") this.reset();
    else if (event.key === "Enter" && this.current >= 0) this.#does.open?.(this.current);
    else return;
    event.preventDefault();
  }

  /** Go to the next point in a direction; what lies aside counts as farther. */
  #step([right, down]) {
    const { width, height } = this.#box, from = this.current;
    const [x, y] = from < 0 ? [width / 2, height / 2] : this.placeOf(from);
    const point = this.#least((px, py, i) => {
      if (from < 0) return Math.hypot(px - x, py - y);
      const ahead = (px - x) * right + (py - y) * down;
      const aside = Math.abs((px - x) * down) + Math.abs((py - y) * right);
      return i !== from && ahead > 0 ? ahead + 2 * aside : Infinity;
    });
    if (point >= 0) this.goTo(point);
  }

  #paint() {
    const canvas = this.#canvas, context = this.#context, ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    this.#box = { width, height };
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    this.#paintPoints(context);
    context.globalAlpha = 1;
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 2;
    for (const point of [...this.selected, this.current]) this.#ring(context, point);
    if (this.#region) {
      context.setLineDash([5, 4]);
      context.beginPath();
      this.#region.forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.stroke();
    }
    context.resetTransform(); // which isPointInPath would apply to the path alone
  }

  #paintPoints(context) {
    const { group, colours } = this.#points, { width, height } = this.#box;
    const radius = this.#radius(), placeOf = this.#places();
    let last = -1;
    for (const point of this.#order) {
      if (this.hidden.has(group[point])) continue;
      const [x, y] = placeOf(point);
      if (x < -radius || y < -radius || x > width + radius || y > height + radius) continue;
      if (group[point] !== last) context.fillStyle = colours[last = group[point]];
      context.globalAlpha = this.matches && !this.matches[point] ? FAINT : 0.75;
      if (radius < 3) { // looks round, and is several times as quick
        context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
      } else {
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  #ring(context, point) {
    if (point < 0 || this.hidden.has(this.#points.group[point])) return;
    context.beginPath();
    context.arc(...this.placeOf(point), this.#radius() + 3, 0, 2 * Math.PI);
    context.stroke();
  }

  #radius() {
    const count = this.#order.length, least = count > 20000 ? 1.2 : count > 3000 ? 2 : 5;
    return Math.min(least * Math.sqrt(this.#zoom), Math.max(least, 7));
  }
}

const at = (event) => [event.offsetX, event.offsetY];
const distance = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);

/** Return the least and the greatest of numbers; spread would be too many arguments of a call. */
function extent(numbers) {
  let least = Infinity, most = -Infinity;
  for (const number of numbers) { least = Math.min(least, number); most = Math.max(most, number); }
  return least <= most ? [least, most] : [0, 0];
}
