"""A tokenizer.json as the corpus' tokenizer: the words are the tokens that the library itself gives
each line, in chunks of every size, in queries, and after a file has been damaged, none at all."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import w2v
from tests.corpus.conftest import lines_of
from w2v.corpus import read_corpus, read_memory
from w2v.corpus.words import split_words
from w2v.errors import InputError
from w2v.settings.build import build_config
from w2v.settings.groups import CorpusSettings

tokenizers = pytest.importorskip("tokenizers")

LINES = [
    "The naïve king's well-known castle.",
    "",
    "  Königsberg, 日本語の文章。 and  two blanks",
    "the [UNK] king rules the castle\r",
    "한국어 문장 the kings ruled 42 castles!",
]
SETTINGS = {"min_count": 1, "dim": 4, "epochs": 1, "threads": 1, "progress": False}


def made(kind: str, folder: Path) -> str:
    """The path of a file with a trained model of a kind, as its usual owners set it up."""
    models, pre, norm = tokenizers.models, tokenizers.pre_tokenizers, tokenizers.normalizers
    trainers, special = tokenizers.trainers, ["[UNK]", "[CLS]"]
    model, trainer, cut, normalizer = {
        "wordpiece": (
            models.WordPiece(unk_token="[UNK]"),
            trainers.WordPieceTrainer(vocab_size=90, special_tokens=special),
            pre.BertPreTokenizer(),
            norm.BertNormalizer(),
        ),
        "bpe": (
            models.BPE(),
            trainers.BpeTrainer(vocab_size=300, initial_alphabet=sorted(pre.ByteLevel.alphabet())),
            pre.ByteLevel(add_prefix_space=False),
            None,
        ),
        "unigram": (
            models.Unigram(),
            trainers.UnigramTrainer(vocab_size=80, special_tokens=special, unk_token="[UNK]"),
            pre.Metaspace(),
            norm.Sequence([norm.NFKC(), norm.Replace(tokenizers.Regex(" {2,}"), " ")]),
        ),
        "wordlevel": (
            models.WordLevel(unk_token="[UNK]"),
            trainers.WordLevelTrainer(special_tokens=special),
            pre.Whitespace(),
            norm.Lowercase(),
        ),
    }[kind]
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = cut
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(LINES * 3, trainer)
    # what is for a model, not for words
    if kind == "wordpiece":
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A", special_tokens=[("[CLS]", 1)]
        )
        tokenizer.enable_truncation(3)
        tokenizer.enable_padding(length=64)
    tokenizer.save(str(folder / f"{kind}.json"))
    return str(folder / f"{kind}.json")


def expected(path: str, lines: list[str]) -> list[list[str]]:
    """What the library gives each line."""
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    found = (tokenizer.encode(line.rstrip("\r"), add_special_tokens=False) for line in lines)
    return [[token for token in each.tokens if token.strip()] for each in found]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "wordlevel"])
def test_the_words_are_the_tokens_of_each_line(kind, tmp_path, read):
    path, text = made(kind, tmp_path), tmp_path / "text.txt"
    wanted = expected(path, LINES * 40)
    text.write_text("\n".join(LINES * 40) + "\n")
    for size in (64, 300, 1 << 21):
        assert lines_of(read(text, tokenizer=path, chunk_bytes=size)) == wanted, size
    settings = CorpusSettings(tokenizer=path)
    assert lines_of(read_memory(LINES * 40, settings)) == wanted
    flat = [token for line in expected(path, LINES) for token in line]
    assert split_words("\n".join(LINES), settings) == flat


def test_one_long_line_is_cut_before_a_blank(tmp_path, read):
    path, text = made("bpe", tmp_path), tmp_path / "text.txt"
    line = " ".join(LINES[0] for _ in range(2000))  # 74 KB, no line end
    text.write_text(line)
    store = read(text, tokenizer=path, chunk_bytes=4096)
    assert lines_of(store) == expected(path, [line])
    two = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for each in two:
        each.write_text(line + "\n" + LINES[0])
    wanted = expected(path, [line, LINES[0]] * 2)
    assert lines_of(read(*two, tokenizer=path, chunk_bytes=4096)) == wanted


def test_lowercase_is_the_text_and_not_the_signs_of_the_tokens(tmp_path, read):
    path, text = made("bpe", tmp_path), tmp_path / "text.txt"
    text.write_text("THE King\nthe KING\n")
    wanted = expected(path, ["the king", "the king"])
    assert lines_of(read(text, tokenizer=path, lowercase=True)) == wanted
    assert any("Ġ" in token for token in wanted[0])


def test_blanks_stand_for_tabs_in_tokens(tmp_path):
    vocabulary = {"[UNK]": 0, "a\tb": 1, " ": 2, "c": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(" "), "isolated")
    tokenizer.pre_tokenizer = split
    tokenizer.save(str(tmp_path / "t.json"))
    settings = CorpusSettings(tokenizer=str(tmp_path / "t.json"))
    store = read_memory(["c a\tb c", "a\tb\0c x"], settings)
    assert lines_of(store) == [["c", "a b", "c"], ["a b", "c", "[UNK]"]]


@pytest.mark.parametrize("kind", ["wordlevel", "wordpiece", "unigram"])
def test_what_the_file_does_not_know_is_told_and_unknown_to_language_models(
    kind, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    lines = ["the king rules the castle", "the \u2603 king \u2603 rules"] * 20
    settings = {**SETTINGS, "sample": 0, "tokenizer": made(kind, tmp_path)}
    path = Path("text.txt")
    path.write_text("\n".join(lines) + "\n")
    library = tokenizers.Tokenizer.from_file(settings["tokenizer"])
    library.no_padding(), library.no_truncation()
    ids = [i for line in lines for i in library.encode(line, add_special_tokens=False).ids]
    tokens, unknown = len(ids), ids.count(library.token_to_id("[UNK]"))
    assert unknown == 40
    told = rf"{100 * unknown / tokens:.2g} % of the text, 40 of {tokens} tokens, are \[UNK\]"
    for _ in range(2):  # also from the cache
        with pytest.warns(UserWarning, match=told):
            run = w2v.train("text.txt", output="words", overwrite=True, **settings)
        assert "[UNK]" in run.vectors
    with pytest.warns(UserWarning, match=told):
        run = w2v.train(lines, **{**settings, "sample": None, "model": "lm"}, layers=1, output="lm")
    assert "[UNK]" not in run.model.tokens
    with pytest.warns(UserWarning, match=told):
        assert run.model.perplexity(lines).oov == unknown
    assert [score.oov for score in run.model.score(lines[:2])] == [0, 2]
    w2v.train(lines[:1] * 20, output="known", **settings)  # nothing unknown, and nothing is said


def test_the_cache_knows_the_content_of_the_file(tmp_path, read):
    text, path = tmp_path / "text.txt", tmp_path / "tokenizer.json"
    text.write_text("\n".join(LINES) + "\n")
    found = {}
    for kind in ("wordlevel", "bpe"):
        shutil.copy(made(kind, tmp_path), path)
        found[kind] = read(text, tokenizer=str(path), use_cache=True)
        assert lines_of(found[kind]) == expected(str(path), LINES), kind
    assert found["bpe"].key != found["wordlevel"].key
    elsewhere = read(text, tokenizer=str(tmp_path / "bpe.json"), use_cache=True)
    assert elsewhere.key == found["bpe"].key


def test_a_run_reads_queries_and_validation_the_same_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(made("bpe", tmp_path))
    Path("text.txt").write_text("\n".join(LINES * 40) + "\n")
    run = w2v.train(
        "text.txt", tokenizer=Path("bpe.json"), valid="text.txt", output="run", **SETTINGS
    )
    assert f"tokenizer: {path}" in Path("run/config.yaml").read_text()
    monkeypatch.chdir("/")
    vectors = w2v.load(tmp_path / "run")
    assert "Ġking" in vectors
    rows = np.mean([vectors[token] for token in expected(str(path), [LINES[0]])[0]], axis=0)
    assert np.allclose(vectors.encode([LINES[0]])[0], rows, rtol=1e-5)
    vectors.save(tmp_path / "hub", "sentence-transformers")
    assert np.allclose(w2v.load(tmp_path / "hub").encode([LINES[0]])[0], rows, rtol=1e-5)
    longer = run.resume(epochs=2)
    assert len([line for line in longer.history if "epoch" in line]) >= 2
    path.unlink()
    with pytest.raises(InputError, match=r"`tokenizer` .*bpe\.json cannot be read"):
        w2v.load(tmp_path / "run").encode([LINES[0]])


def test_a_recipe_names_it_from_its_own_folder(tmp_path):
    made("bpe", tmp_path)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("corpus: a.txt\ntokenizer: bpe.json\n")
    assert build_config({}, recipe).corpus.tokenizer == str(tmp_path / "bpe.json")
    (tmp_path / "words").touch()
    recipe.write_text("corpus: a.txt\ntokenizer: words\n")
    assert build_config({}, recipe).corpus.tokenizer == "words"
    with pytest.raises(InputError, match=r"`tokenizer` bert-base is not one of .* \.json file"):
        build_config({"corpus": ("a",), "tokenizer": "bert-base"})
    with pytest.raises(InputError, match="both split words"):
        build_config({"corpus": ("a",), "model": "lm", "subwords": 300, "tokenizer": "a.json"})


def with_map(content, trie, texts):
    charsmap = np.array(trie, "<u4").tobytes()
    charsmap = base64.b64encode(len(charsmap).to_bytes(4, "little") + charsmap + texts).decode()
    content["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap}


DAMAGES = {
    "no model": lambda content: content.pop("model"),
    "another model": lambda content: content["model"].update(type="Neural"),
    "random": lambda content: content["model"].update(dropout=0.5),
    "merge of nothing": lambda content: content["model"].update(merges=[["zz", "yy"]]),
    "long affix": lambda content: content["model"].update(end_of_word_suffix="x" * 1000),
    "unknown step": lambda content: content.update(normalizer={"type": "Shell"}),
    "growing": lambda content: content.update(
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 50}]
            * 9,
        }
    ),
    "growing map": lambda content: with_map(content, [0] * 256, b"x" * 5000 + b"\0"),
    "map without a trie": lambda content: with_map(content, [], b"x"),
    "map that leads out": lambda content: with_map(content, [1 << 20] * 256, b"x"),
    "map with other texts": lambda content: with_map(content, [1 << 8] * 256, b"x"),
    "map that is a number": lambda content: content.update(
        normalizer={"type": "Precompiled", "precompiled_charsmap": 5}
    ),
    "no list": lambda content: content.update(added_tokens="x" * (2 << 20)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_and_hostile_files_are_refused_in_a_sentence(damage, tmp_path):
    content = json.loads(Path(made("bpe", tmp_path)).read_text())
    DAMAGES[damage](content)
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"damaged\.json (is damaged|cannot be used): "):
        read_memory(LINES, CorpusSettings(tokenizer=str(path)))


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\xff", b"[" * 99999])
def test_what_is_no_tokenizer_is_refused_in_a_sentence(content, tmp_path):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json (is damaged|cannot be read): "):
        read_memory(LINES, CorpusSettings(tokenizer=str(path)))


def test_lists_of_words_are_not_cut_again(tmp_path):
    table = tmp_path / "t.jsonl"
    table.write_text('{"text": ["the", "king"]}\n')
    with pytest.raises(InputError, match="leave out `tokenizer`"):
        read_corpus([str(table)], CorpusSettings(tokenizer=made("bpe", tmp_path)))
