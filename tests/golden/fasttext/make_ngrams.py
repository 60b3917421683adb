"""Makes ngrams.npz with fastText itself: python make_ngrams.py TEXT…; needs pip install fasttext.

words     UTF-8, a line for each of 10,000: words of the texts (German, Korean and Chinese ones),
          and made-up ones of more scripts, with odd characters
settings  [3, 3] shortest, longest, buckets; the second and third are of every tenth word only
counts    [V], [V / 10], [V / 10] joined: how many n-grams each word has
sums      of the same words: CRC-32 of their buckets in fastText's order, int32, little-endian
"""

import random
import re
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

SETTINGS = [(3, 6, 2_000_000), (1, 2, 1000), (4, 5, 7)]
RANGES = {
    "latin": [(0x61, 0x7A)] * 4 + [(0xDF, 0xFF), (0x100, 0x17F)],
    "greek": [(0x3B1, 0x3C9)],
    "cyrillic": [(0x430, 0x451)],
    "arabic": [(0x621, 0x64A)],
    "devanagari": [(0x905, 0x939), (0x93E, 0x94D)],
    "kana": [(0x3041, 0x3096), (0x30A1, 0x30FA)],
    "others": [(0x10330, 0x1034A), (0x1F600, 0x1F64F), (0x20000, 0x200FF), (0x300, 0x36F)],
    "mixed": [(0x21, 0x7E), (0xE0, 0xFF), (0x4E00, 0x4FFF), (0xAC00, 0xAD00), (0x1F400, 0x1F4FF)],
}
ODD = ["</s>", "<", ">", "<>", "<s>", "a", "é", "日", "😀", "x>y", "\ufeffword", "\x01", "-" * 300]


def made_up(chance: random.Random) -> str:
    ranges = RANGES[chance.choice(list(RANGES))]
    spans = [chance.choice(ranges) for _ in range(chance.randint(1, 14))]
    return "".join(chr(chance.randint(*span)) for span in spans)


def chosen_words(texts: list[str]) -> list[str]:
    words = dict.fromkeys(ODD)
    for text in texts:
        found = dict.fromkeys(re.findall(r"\w{1,20}", Path(text).read_text(encoding="utf-8")))
        words |= dict.fromkeys(list(found)[::7][:2000])
    chance = random.Random(1)
    while len(words) < 10_000:
        words[made_up(chance)] = None
    return list(words)


def main() -> None:
    import fasttext  # made_up is wanted where it is not installed

    words, counts, sums = chosen_words(sys.argv[1:]), [], []
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "text"
        corpus.write_text("zzz\n" * 50, encoding="utf-8")
        for number, (shortest, longest, buckets) in enumerate(SETTINGS):
            sizes = {"minn": shortest, "maxn": longest, "bucket": buckets, "dim": 1}
            model = fasttext.train_unsupervised(str(corpus), epoch=1, thread=1, verbose=0, **sizes)
            known = len(model.words)
            for word in words[:: 10 if number else 1]:
                ids = np.asarray(model.get_subwords(word)[1], np.int64)
                ids = (ids[1:] if word in model.words else ids) - known
                counts.append(len(ids))
                sums.append(zlib.crc32(ids.astype("<i4").tobytes()))
    np.savez_compressed(
        Path(__file__).with_name("ngrams.npz"),
        words=np.frombuffer("\n".join(words).encode(), np.uint8),
        settings=np.array(SETTINGS),
        counts=np.array(counts, np.int16),
        sums=np.array(sums, np.uint32),
    )


if __name__ == "__main__":
    main()
