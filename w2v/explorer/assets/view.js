// The plane: points, labels that do not overlap, moving and zooming. Map coordinates go from 0 to 1.

const MOST_ZOOM = 200;
const MOST_LABELS = 200;
const REACH = 14; // largest distance in pixels between the pointer and a point that it selects

class View {
  constructor(canvas, words) {
    this.canvas = canvas;
    this.words = words;
    this.pen = canvas.getContext("2d");
    this.zoom = 1;
    this.x = this.y = 0.5; // the centre of the visible part
    this.lit = null; // { word, near, pairs }: the highlighted words
    this.only = null; // the highlighted colour group
    this.labels = []; // { word, left, top, right, bottom } on the screen
    this.widths = new Map();
    new ResizeObserver(() => this.resized()).observe(canvas);
  }

  // Colours the words: word i has the colour of the CSS variable names[group[i]].
  paint(group = this.group, names = this.names) {
    Object.assign(this, { group, names });
    const probe = byId("said");
    const colour = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    this.colours = this.names.map(colour);
    [this.ink, this.ground, this.accent, this.faint] = ["--ink", "--ground", "--accent", "--faint"].map(colour);
    this.redraw();
  }

  resized() {
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.draw(); // at once, because resizing has cleared the canvas
  }

  get scale() {
    return 0.93 * Math.min(this.width, this.height) * this.zoom;
  }

  screen(word) {
    const { x, y } = this.words;
    return [
      this.width / 2 + (x[word] - this.x) * this.scale,
      this.height / 2 - (y[word] - this.y) * this.scale,
    ];
  }

  // Zooms around a point of the screen, which stays in place.
  zoomBy(factor, left = this.width / 2, top = this.height / 2) {
    const before = this.scale;
    this.zoom = Math.min(MOST_ZOOM, Math.max(0.5, this.zoom * factor));
    const change = 1 / before - 1 / this.scale;
    this.x += (left - this.width / 2) * change;
    this.y -= (top - this.height / 2) * change;
    this.moved();
  }

  moveBy(right, down) {
    this.x -= right / this.scale;
    this.y += down / this.scale;
    this.moved();
  }

  moved() {
    this.flight = null;
    this.x = Math.min(1, Math.max(0, this.x));
    this.y = Math.min(1, Math.max(0, this.y));
    this.redraw();
  }

  whole() {
    this.flyTo(0.5, 0.5, 1);
  }

  // Moves a word to the centre, with most of `others` visible around it.
  show(word, others) {
    const { x, y } = this.words;
    const far = others
      .map((other) => Math.max(Math.abs(x[other] - x[word]), Math.abs(y[other] - y[word])))
      .sort((one, other) => one - other);
    const radius = far.length ? far[Math.floor((far.length - 1) * 0.7)] : 0.03;
    this.flyTo(x[word], y[word], Math.min(9, Math.max(2, 0.4 / Math.max(radius, 1e-6))));
  }

  flyTo(x, y, zoom) {
    const from = { x: this.x, y: this.y, zoom: this.zoom };
    const start = performance.now();
    const time = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 450;
    const flight = (this.flight = {});
    const step = (now) => {
      if (this.flight !== flight) return;
      const done = time ? Math.min(1, Math.max(0, (now - start) / time)) : 1;
      const eased = done * done * (3 - 2 * done);
      this.x = from.x + (x - from.x) * eased;
      this.y = from.y + (y - from.y) * eased;
      this.zoom = from.zoom * (zoom / from.zoom) ** eased;
      this.draw();
      if (done < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  // The word under the pointer, by its label or by the nearest point; -1 if none.
  at(left, top) {
    const on = this.labels.find(
      (label) => left >= label.left && left <= label.right && top >= label.top && top <= label.bottom,
    );
    if (on) return on.word;
    let best = -1;
    let least = REACH * REACH;
    for (let i = 0; i < this.words.n; i++) {
      const [x, y] = this.screen(i);
      const distance = (x - left) ** 2 + (y - top) ** 2;
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  redraw() {
    this.waiting ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = null;
    if (!this.width || !this.colours) return;
    const { pen } = this;
    const ratio = this.canvas.width / this.width;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = this.ground;
    pen.fillRect(0, 0, this.width, this.height);
    const seen = []; // visible words and their positions on the screen
    for (let i = 0; i < this.words.n; i++) {
      const [x, y] = this.screen(i);
      if (x > -20 && y > -20 && x < this.width + 20 && y < this.height + 20) seen.push([i, x, y]);
    }
    this.drawPoints(seen);
    if (this.lit) this.drawLit();
    this.drawLabels(seen);
    // the state, for scripts that read the page, and for tests
    Object.assign(this.canvas.dataset, { zoom: this.zoom, x: this.x, y: this.y, labels: this.labels.length });
  }

  drawPoints(seen) {
    const { pen } = this;
    const size = Math.min(5, Math.max(1.1, 1.15 * this.zoom ** 0.4 * (20000 / this.words.n) ** 0.15));
    const parts = this.colours.map(() => new Path2D());
    for (const [i, x, y] of seen) {
      const radius = size * (i < 200 ? 1.7 : i < 2000 ? 1.25 : 1);
      const path = parts[this.group[i]];
      path.moveTo(x + radius, y);
      path.arc(x, y, radius, 0, 7);
    }
    parts.forEach((path, group) => {
      const behind = this.lit || (this.only !== null && this.only !== group);
      pen.globalAlpha = behind ? 0.25 : 0.8;
      pen.fillStyle = this.colours[group];
      pen.fill(path);
    });
    pen.globalAlpha = 1;
  }

  drawLit() {
    const { pen } = this;
    const { word, near, pairs } = this.lit;
    pen.strokeStyle = pen.fillStyle = this.accent;
    for (const [from, to] of [...near.map((other) => [word, other]), ...pairs]) {
      pen.globalAlpha = pairs.length ? 0.9 : 0.45;
      pen.lineWidth = pairs.length ? 1.8 : 1;
      pen.beginPath();
      pen.moveTo(...this.screen(from));
      pen.lineTo(...this.screen(to));
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 1.5;
    pen.strokeStyle = this.ground;
    for (const other of [word, ...near, ...pairs.flat()]) {
      pen.beginPath();
      pen.arc(...this.screen(other), other === word ? 6 : 4.2, 0, 7);
      pen.fill();
      pen.stroke();
    }
  }

  // Draws labels of highlighted words, then of frequent ones, unless they would overlap others.
  drawLabels(seen) {
    const { pen, lit } = this;
    const taken = new Map(); // the labels in each square of the screen
    const squares = function* ({ left, top, right, bottom }) {
      for (let i = Math.floor(left / 64); i <= right / 64; i++) {
        for (let j = Math.floor(top / 32); j <= bottom / 32; j++) yield i * 4096 + j;
      }
    };
    const meet = (a, b) => a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;
    const overlaps = (box) =>
      [...squares(box)].some((square) => taken.get(square)?.some((other) => meet(box, other)));
    this.labels = [];
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 3.5;
    const label = (word, x, y, strong) => {
      const size = strong || word < 60 ? 14 : word < 1000 ? 12.5 : 11.5;
      pen.font = `${strong ? "600 " : ""}${size}px system-ui, sans-serif`;
      const name = short(this.words.words[word]);
      const key = `${pen.font} ${word}`;
      if (!this.widths.has(key)) this.widths.set(key, pen.measureText(name).width);
      const width = this.widths.get(key);
      for (const left of [x + 6, x - 6 - width]) {
        const box = { word, left, top: y - size * 0.7, right: left + width, bottom: y + size * 0.7 };
        if (left < 2 || box.right > this.width - 2 || overlaps(box)) continue;
        for (const square of squares(box)) taken.set(square, [...(taken.get(square) ?? []), box]);
        this.labels.push(box);
        pen.strokeStyle = this.ground;
        pen.strokeText(name, left, y);
        pen.fillStyle = strong ? this.accent : lit ? this.faint : this.ink;
        pen.fillText(name, left, y);
        return;
      }
    };
    const first = lit ? [...new Set([lit.word, ...lit.pairs.flat(), ...lit.near])] : [];
    for (const word of first) label(word, ...this.screen(word), true);
    pen.globalAlpha = lit ? 0.65 : 1;
    for (const [word, x, y] of seen) {
      if (this.labels.length >= MOST_LABELS) break;
      if (first.includes(word) || (this.only !== null && this.group[word] !== this.only)) continue;
      label(word, x, y, false);
    }
    pen.globalAlpha = 1;
  }
}

// The text of a label: shortened, and without characters that change the writing direction.
const short = (word) => {
  const letters = [...shown(word)];
  return letters.length > 28 ? `${letters.slice(0, 27).join("")}…` : letters.join("");
};
