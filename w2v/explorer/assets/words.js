// The words and their data, unpacked from the format described in packing.py.

const NOBODY = 0xffffff;
const COSINE_STEPS = 10000;

const unpacked = async () => {
  const packed = Uint8Array.from(atob(byId("data").textContent), (c) => c.charCodeAt(0));
  byId("data").remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const { n, k, dim, bits } = about;

  let at = 4 + length;
  const plane = (size) => bytes.subarray(at, (at += size));
  // Integers stored as a plane of all low bytes, then a plane of all next bytes, …
  const numbers = (count, planes) => {
    const values = new Uint32Array(count);
    for (let p = 0; p < planes; p++) plane(count).forEach((byte, i) => (values[i] |= byte << (8 * p)));
    return values;
  };
  const placed = (values) => Float32Array.from(values, (value) => value / 0xffff);
  const x = placed(numbers(n, 2));
  const y = placed(numbers(n, 2));
  const kind = plane(n);
  const near = numbers(n * k, 3);
  const cosine = Float32Array.from(numbers(n * k, 2), (value) => value / COSINE_STEPS - 1);
  return { ...about, x, y, kind, near, cosine, vectors: unitVectors(plane((n * dim * bits) / 8), n, dim, bits) };
};

// Unit vectors from quantized values, one or two per byte.
const unitVectors = (bytes, n, dim, bits) => {
  const vectors = new Float32Array(n * dim);
  if (bits === 8) {
    new Int8Array(bytes.slice().buffer).forEach((value, i) => (vectors[i] = value));
  } else {
    bytes.forEach((byte, i) => {
      vectors[2 * i] = (byte & 15) - 8;
      vectors[2 * i + 1] = (byte >> 4) - 8;
    });
  }
  for (let row = 0; row < n; row++) {
    const own = vectors.subarray(row * dim, (row + 1) * dim);
    const size = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0)) || 1;
    own.forEach((value, i) => (own[i] = value / size));
  }
  return vectors;
};

// A word for display: control characters, and those that change the writing direction, become codes.
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;
const shown = (word) =>
  word.replace(UNSEEN, (c) => `[U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);

const grouped = (number) => number.toLocaleString("en");

class Words {
  constructor(data) {
    Object.assign(this, data);
    this.folded = this.words.slice(0, this.n).map((word) => word.toLowerCase());
  }

  // The number of a word on the map, with exactly this spelling or else ignoring case; -1 if none.
  find(text) {
    const exact = this.words.indexOf(text);
    if (exact >= 0 && exact < this.n) return exact;
    return this.folded.indexOf(text.toLowerCase());
  }

  // Words that begin with the text, then words that contain it; frequent ones first.
  search(text, limit) {
    const wanted = text.toLowerCase();
    const first = [];
    const rest = [];
    const exact = this.find(text);
    if (exact >= 0) first.push(exact);
    for (let i = 0; i < this.n && first.length < limit; i++) {
      const place = this.folded[i].indexOf(wanted);
      if (i !== exact && place >= 0) (place ? rest : first).push(i);
    }
    return first.concat(rest).slice(0, limit);
  }

  // [{ word, cosine }] of the exact nearest words, best first.
  neighbours(word) {
    const found = [];
    for (let i = word * this.k; i < (word + 1) * this.k; i++) {
      if (this.near[i] !== NOBODY) found.push({ word: this.near[i], cosine: this.cosine[i] });
    }
    return found;
  }

  // The words on the map nearest to b - a + c by the quantized vectors, without a, b and c.
  analogy(a, b, c, limit) {
    const { dim, vectors, n } = this;
    const row = (i) => vectors.subarray(i * dim, (i + 1) * dim);
    const sum = row(b).map((value, i) => value - row(a)[i] + row(c)[i]);
    const size = Math.sqrt(sum.reduce((total, value) => total + value * value, 0)) || 1;
    const scores = new Float32Array(n);
    for (let i = 0, at = 0; i < n; i++) {
      let score = 0;
      for (let d = 0; d < dim; d++) score += sum[d] * vectors[at++];
      scores[i] = score / size;
    }
    return Array.from(scores, (cosine, word) => ({ word, cosine }))
      .filter(({ word }) => word !== a && word !== b && word !== c)
      .sort((one, other) => other.cosine - one.cosine)
      .slice(0, limit);
  }
}
