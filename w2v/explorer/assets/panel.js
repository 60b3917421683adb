// Handles what the reader does: search, clicks, analogies, colours, keys.

const FOUND = 12;

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
// A word is always inserted as text, never as HTML.
const named = (word) => element("bdi", { dir: "auto" }, shown(word));

const start = (words) => {
  const canvas = byId("map");
  const view = new View(canvas, words);
  let selected = -1;

  // The selected word -----------------------------------------------------------------------

  const items = (found) =>
    found.map(({ word, cosine }) => {
      const button = element("button", { type: "button" }, named(words.words[word]));
      button.append(element("span", { class: "number" }, cosine.toFixed(4)), element("i", { class: "bar" }));
      button.lastChild.style.width = `calc(${Math.max(0, cosine) * 100}% - 1rem)`;
      button.disabled = word >= words.n;
      button.title = button.disabled ? "This word is not on the map" : "";
      button.addEventListener("click", () => select(word));
      return element("li", {}, button);
    });

  const select = (word, fly = true) => {
    selected = word;
    byId("word").hidden = word < 0;
    byId("hint").hidden = word >= 0;
    view.lit = null;
    view.redraw();
    remember(word < 0 ? "" : words.words[word]);
    if (word < 0) return;
    const name = words.words[word];
    const found = words.neighbours(word);
    const near = found.map((other) => other.word).filter((other) => other < words.n);
    byId("name").replaceChildren(named(name));
    const rank = `word ${grouped(word + 1)} of ${grouped(words.vocabulary)} by frequency`;
    byId("facts").textContent = words.counts ? `${grouped(words.counts[word])} times in the corpus, ${rank}` : rank;
    byId("near").replaceChildren(...items(found));
    const away = found.length - near.length;
    byId("away").hidden = !away && found.length > 0;
    byId("away").textContent = found.length
      ? `In italics: ${away === 1 ? "a word" : `${away} words`} too rare for the map.`
      : "Its vector is all zeros, so it has no neighbours.";
    byId("said").textContent = `${shown(name)}; nearest: ${found.map((other) => shown(words.words[other.word])).join(", ")}`;
    byId("name").closest("aside").scrollTop = 0;
    view.lit = { word, near, pairs: [] };
    if (fly) view.show(word, near);
  };

  // The selected word is part of the address, which can thus be shared.
  const remember = (name) => {
    try {
      history.replaceState(null, "", name ? `#${encodeURIComponent(name)}` : "#");
    } catch {
      // a frame without an address, or a word that an address cannot contain
    }
  };
  const recall = () => {
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch {
      // not written by this page
    }
    const word = name ? words.find(name) : -1;
    if (word >= 0) select(word);
  };
  addEventListener("hashchange", recall);
  byId("close").addEventListener("click", () => select(-1));

  // Search ----------------------------------------------------------------------------------

  const query = byId("query");
  const list = byId("found");
  let choice = -1;

  const choose = (number) => {
    choice = number;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", i === number));
    const item = list.children[number];
    if (item) query.setAttribute("aria-activedescendant", item.id);
    else query.removeAttribute("aria-activedescendant");
    item?.scrollIntoView({ block: "nearest" });
  };
  const showList = (open) => {
    list.hidden = !open;
    query.setAttribute("aria-expanded", open);
  };
  const look = () => {
    const text = query.value.trim();
    const found = text ? words.search(text, FOUND) : [];
    list.replaceChildren(
      ...found.map((word, i) => {
        const item = element("li", { role: "option", id: `found-${i}` }, named(words.words[word]));
        const count = words.counts ? grouped(words.counts[word]) : "";
        item.append(element("span", { class: "faint small number" }, count));
        item.addEventListener("pointerdown", () => take(word));
        item.dataset.word = word;
        return item;
      }),
    );
    if (text && !found.length) {
      list.append(element("li", { class: "none faint" }, "No word on the map contains this."));
    }
    showList(text !== "");
    choose(found.length ? 0 : -1);
  };
  const take = (word) => {
    query.value = "";
    showList(false);
    query.blur();
    canvas.focus({ preventScroll: true });
    select(word);
  };
  query.addEventListener("input", look);
  query.addEventListener("focus", look);
  query.addEventListener("blur", () => showList(false));
  query.addEventListener("keydown", (event) => {
    const count = list.querySelectorAll("[data-word]").length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (count) choose((choice + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      query.value = "";
      query.blur();
      canvas.focus({ preventScroll: true });
    }
  });
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (choice >= 0) take(Number(list.children[choice].dataset.word));
  });

  // Analogies -------------------------------------------------------------------------------

  byId("analogy").addEventListener("submit", (event) => {
    event.preventDefault();
    const texts = ["a", "b", "c"].map((id) => byId(id).value.trim());
    const rows = texts.map((text) => (text ? words.find(text) : -1));
    const missing = rows.indexOf(-1);
    byId("answers").replaceChildren();
    if (missing >= 0) {
      const text = texts[missing];
      byId("told").textContent = text
        ? `“${shown(text)}” is not among the ${grouped(words.n)} words of this map.`
        : "Enter three words.";
      return;
    }
    const found = words.analogy(...rows, 5);
    byId("answers").replaceChildren(...items(found));
    byId("told").textContent = "Computed here, from rounded vectors of the words on the map.";
    if (!found.length) return;
    const [a, b, c] = rows;
    const answer = found[0].word;
    select(-1);
    view.lit = { word: answer, near: [], pairs: [[a, b], [c, answer]] };
    byId("said").textContent = `The best answer is ${shown(words.words[answer])}`;
    view.whole();
  });

  // Colours ---------------------------------------------------------------------------------

  const paint = () => {
    const { group, colours, names } = byId("colour").value === "class" ? byClass(words) : byFrequency(words);
    view.only = null;
    byId("legend").replaceChildren(
      ...names.map((name, i) => {
        const swatch = element("span", { class: "swatch" });
        swatch.style.background = `var(${colours[i]})`;
        const button = element("button", { type: "button", "aria-pressed": false }, swatch, named(name));
        button.addEventListener("click", () => {
          view.only = view.only === i ? null : i;
          for (const [j, item] of [...byId("legend").children].entries()) {
            item.firstChild.setAttribute("aria-pressed", view.only === j);
          }
          view.redraw();
        });
        return element("li", {}, button);
      }),
    );
    view.paint(group, colours);
  };
  byId("colour").addEventListener("change", paint);
  document.addEventListener("theme", () => view.paint());

  // The pointer -----------------------------------------------------------------------------

  const tip = byId("tip");
  const held = new Map(); // pressed pointers
  let dragged = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const hover = ([x, y]) => {
    const word = view.at(x, y);
    canvas.classList.toggle("on-word", word >= 0);
    tip.hidden = word < 0;
    if (word < 0) return;
    const count = words.counts ? ` · ${grouped(words.counts[word])}` : "";
    tip.replaceChildren(named(words.words[word]), count);
    const [left, top] = view.screen(word);
    tip.style.left = `${Math.max(4, Math.min(left + 10, view.width - tip.offsetWidth - 6))}px`;
    tip.style.top = `${top > 40 ? top - 34 : top + 14}px`;
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (!held.size) dragged = 0;
    held.set(event.pointerId, place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event);
    const before = held.get(event.pointerId);
    if (!before) {
      hover(now);
      return;
    }
    held.set(event.pointerId, now);
    const move = [now[0] - before[0], now[1] - before[1]];
    dragged += Math.hypot(...move);
    if (dragged < 4) return;
    tip.hidden = true;
    canvas.classList.add("held");
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const far = (from) => Math.hypot(from[0] - other[0], from[1] - other[1]) || 1;
      view.zoomBy(far(now) / far(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      view.moveBy(move[0] / 2, move[1] / 2);
    } else {
      view.moveBy(...move);
    }
  });
  const released = (event) => {
    held.delete(event.pointerId);
    if (!held.size) canvas.classList.remove("held");
  };
  canvas.addEventListener("pointerup", (event) => {
    const click = held.size === 1 && dragged < 4;
    released(event);
    if (!click) return;
    const word = view.at(...place(event));
    if (word >= 0 || selected >= 0 || view.lit) select(word, false);
  });
  canvas.addEventListener("pointercancel", released);
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  canvas.addEventListener("dblclick", (event) => view.zoomBy(2, ...place(event)));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      tip.hidden = true;
      const lines = event.deltaMode ? 30 : 1;
      view.zoomBy(2 ** (-Math.max(-200, Math.min(200, event.deltaY * lines)) / 250), ...place(event));
    },
    { passive: false },
  );
  byId("closer").addEventListener("click", () => view.zoomBy(1.6));
  byId("farther").addEventListener("click", () => view.zoomBy(1 / 1.6));
  byId("whole").addEventListener("click", () => view.whole());

  // Keys ------------------------------------------------------------------------------------

  const STEP = 70;
  const keys = {
    "/": () => {
      query.focus();
      query.select();
    },
    Escape: () => select(-1),
    ArrowLeft: () => view.moveBy(STEP, 0),
    ArrowRight: () => view.moveBy(-STEP, 0),
    ArrowUp: () => view.moveBy(0, STEP),
    ArrowDown: () => view.moveBy(0, -STEP),
    "+": () => view.zoomBy(1.6),
    "=": () => view.zoomBy(1.6),
    "-": () => view.zoomBy(1 / 1.6),
    0: () => view.whole(),
  };
  addEventListener("keydown", (event) => {
    const writes = event.target.matches("input, select") && event.key !== "Escape";
    if (writes || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    tip.hidden = true;
    keys[event.key]();
  });

  paint();
  recall();
};

// The group of each word, the colours of the groups and their names.
const byClass = (words) => ({
  group: words.kind,
  colours: words.classes.map((_, i) => `--series-${i}`),
  names: words.classes.map((examples) => examples.map(shown).join(", ")),
});

// Classes of frequency by rank, the most frequent first, as in the legend.
const RANKS = [50, 200, 1000, 4000, 10000];
const byFrequency = (words) => {
  const ends = [...RANKS.filter((rank) => rank < words.n), words.n];
  const times = (end) => (words.counts ? `, ${grouped(words.counts[end - 1])}+ times` : "");
  return {
    group: Uint8Array.from({ length: words.n }, (_, word) => ends.findIndex((end) => word < end)),
    colours: ends.map((_, i) => `--step-${5 - i}`),
    names: ends.map((end, i) => `words ${grouped(i ? ends[i - 1] + 1 : 1)} to ${grouped(end)}${times(end)}`),
  };
};

unpacked().then(
  (data) => start(new Words(data)),
  (problem) => {
    byId("said").classList.remove("unseen");
    byId("said").textContent = `This browser cannot unpack the map (${problem.message}); use one from 2023 or later.`;
  },
);
