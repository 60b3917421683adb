"""The pages in a real browser, without a network: what a reader does, and what is to be seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.explorer.browser import Browser
from tests.explorer.conftest import HOSTILE, ON_MAP
from w2v.vectors import WordVectors

DRAWN = "Number(document.querySelector('#map').dataset.labels) > 0"


def opened(window: Browser, page: Path, width: int = 1400, height: int = 900) -> None:
    window.problems.clear()
    window.requests.clear()
    window.open(page, width, height)
    window.wait(DRAWN)


def look_up(window: Browser, word: str) -> None:
    window.key("/")
    window.type(word)
    window.wait("document.querySelectorAll('#found li[data-word]').length > 0")
    window.key("Enter")
    window.wait("!document.getElementById('word').hidden")


def neighbours(window: Browser) -> list[tuple[str, float]]:
    """The words in the panel and their cosines."""
    names = window.run("[...document.querySelectorAll('#near bdi')].map(e => e.textContent)")
    numbers = window.text("#near .number").split()
    return list(zip(names, map(float, numbers), strict=True))


def zoom(window: Browser) -> float:
    return float(window.run("document.querySelector('#map').dataset.zoom"))


def is_quiet(window: Browser, page: Path) -> bool:
    """Whether it has asked for itself and nothing else, and had nothing to complain about."""
    assert window.problems == []
    return window.requests == [page.absolute().as_uri()]


def test_a_word_that_is_looked_up_shows_its_true_neighbours(
    window: Browser, page: Path, vectors: WordVectors
) -> None:
    opened(window, page)
    assert window.text("h1") == "The <demo> & its words"
    for word in ("france", "king", vectors.words[ON_MAP - 1]):
        look_up(window, word)
        assert window.text("#name") == word
        told = vectors.nearest(word)
        shown = neighbours(window)
        assert [name for name, _ in shown] == [each.word for each in told]
        assert [cosine for _, cosine in shown] == pytest.approx(
            [each.similarity for each in told], abs=6e-5
        )
    assert is_quiet(window, page)


def test_typing_finds_words_by_their_beginning_first(window: Browser, page: Path) -> None:
    opened(window, page)
    window.key("/")
    window.type("Ca")
    window.wait("document.querySelectorAll('#found li').length > 0")
    first, *_ = window.text("#found li bdi").split("\n")
    assert first.startswith("ca")
    window.key("ArrowDown")
    assert window.run("document.querySelector('#found-1').getAttribute('aria-selected')") == "true"
    window.key("Escape")
    assert window.run("document.querySelector('#found').hidden")
    window.key("/")
    window.type("qqqqq")
    window.wait("document.querySelectorAll('#found li').length === 1")
    assert window.run("document.querySelectorAll('#found [data-word]').length") == 0
    window.key("Enter")
    assert window.run("document.querySelector('#word').hidden")
    assert is_quiet(window, page)


def test_a_click_takes_the_word_under_the_pointer(
    window: Browser, page: Path, vectors: WordVectors
) -> None:
    opened(window, page)
    for x, y in ((300, 300), (520, 480), (700, 620)):
        for step in range(200):  # from there on, until a word lies under the pointer
            window.mouse("Moved", x + step * 3, y)
            if not window.run("document.querySelector('#tip').hidden"):
                break
        word = window.run("document.querySelector('#tip bdi').textContent")
        window.click(x + step * 3, y)
        assert window.text("#name") == word
        assert [name for name, _ in neighbours(window)] == [n.word for n in vectors.nearest(word)]
    window.click_on("#near button:enabled")
    assert window.text("#name") != word
    window.key("Escape")
    assert window.run("document.querySelector('#word').hidden")
    assert is_quiet(window, page)


def test_an_analogy_is_answered_in_the_page(
    window: Browser, page: Path, vectors: WordVectors
) -> None:
    opened(window, page)
    for place, word in (("#a", "man"), ("#b", "king"), ("#c", "woman")):
        window.click_on(place)
        window.type(word)
    window.key("Enter")
    window.wait("document.querySelectorAll('#answers li').length > 0")
    on_map = vectors.words[:ON_MAP]
    best = [each.word for each in vectors.nearest("king - man + woman", 20) if each.word in on_map]
    shown = window.text("#answers bdi").split("\n")
    assert shown[0] == best[0] and len({*shown} & {*best[:5]}) >= 4
    window.run("document.querySelector('#b').value = '<i>nowhere'")
    window.click_on("#analogy button")
    assert "<i>nowhere" in window.text("#told")
    assert window.run("document.querySelectorAll('#answers li').length") == 0
    assert is_quiet(window, page)


def test_the_map_is_moved_and_zoomed(window: Browser, page: Path) -> None:
    opened(window, page)
    assert zoom(window) == 1
    window.call("Input.dispatchMouseEvent", type="mouseWheel", x=400, y=400, deltaX=0, deltaY=-250)
    window.wait("document.querySelector('#map').dataset.zoom > 1.5")
    before = window.run("Number(document.querySelector('#map').dataset.x)")
    window.mouse("Moved", 400, 400)
    window.mouse("Pressed", 400, 400, button="left", buttons=1)
    window.mouse("Moved", 500, 400, button="left", buttons=1)
    window.mouse("Released", 500, 400, button="left")
    window.wait(f"document.querySelector('#map').dataset.x < {before} - 0.02")
    assert window.run("document.querySelector('#word').hidden")  # a drag is no click
    for key, is_true in (("+", "> 2.5"), ("-", "< 2"), ("0", "== 1")):
        window.key(key)
        window.wait(f"document.querySelector('#map').dataset.zoom {is_true}")
    window.key("ArrowRight")
    window.wait("document.querySelector('#map').dataset.x > 0.51")
    window.click_on("#closer")
    window.wait("document.querySelector('#map').dataset.zoom > 1.5")
    assert is_quiet(window, page)


def test_labels_do_not_overlap(window: Browser, page: Path) -> None:
    opened(window, page)
    # the view is a local of the script: its labels are read off what was drawn
    window.run("""
        window.boxes = [];
        const text = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (name, x, y) {
            const high = parseFloat(this.font.match(/([0-9.]+)px/)[1]) / 2;
            window.boxes.push([x, y - high, x + this.measureText(name).width, y + high]);
            return text.call(this, name, x, y);
        };
    """)
    window.key("+")
    boxes = window.wait("window.boxes.length > 0 && window.boxes")
    assert len(boxes) > 30
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            assert not (
                one[0] < other[2] and one[2] > other[0] and one[1] < other[3] and one[3] > other[1]
            )


def test_colours_and_themes_change(window: Browser, page: Path) -> None:
    opened(window, page)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = window.run(ground)
    assert window.text("#theme") == "Dark"
    window.click_on("#theme")
    assert window.run(ground) != light and window.text("#theme") == "Light"
    classes = window.text("#legend")
    window.run(
        "document.querySelector('#colour').value = 'frequency',"
        "document.querySelector('#colour').dispatchEvent(new Event('change'))"
    )
    assert window.text("#legend") != classes and "+ times" in window.text("#legend")
    window.click_on("#legend button")
    assert window.run("document.querySelector('#legend button').ariaPressed") == "true"
    window.open(page, 700, 900, dark=True)
    window.wait(DRAWN)
    assert window.run(ground) != light and window.text("#theme") == "Light"
    assert window.run("document.documentElement.scrollWidth <= innerWidth")
    assert window.problems == []


def test_an_address_names_a_word(window: Browser, page: Path) -> None:
    opened(window, page)
    look_up(window, "france")
    assert window.run("location.hash") == "#france"
    window.run("location.hash = '#king'")
    window.wait("document.querySelector('#name').textContent === 'king'")


def test_hostile_words_are_only_words(
    window: Browser, hostile: WordVectors, tmp_path: Path
) -> None:
    page = tmp_path / "map.html"
    hostile.map(page, title=HOSTILE[1])
    opened(window, page)
    for word in HOSTILE:
        link = re.sub(r"[\ud800-\udfff]", "\ufffd", word)
        row = hostile.words.index(word)
        window.run(f"""{{
            const box = document.querySelector('#query');
            box.value = {link[:3]!r};
            box.dispatchEvent(new Event('input'));
            document.querySelector('[data-word="{row}"]')
                ?.dispatchEvent(new PointerEvent('pointerdown', {{ bubbles: true }}));
        }}""")
        name = window.run("document.querySelector('#name').textContent")
        seen = re.sub(r"\[U\+([0-9A-F]{4})\]", lambda code: chr(int(code[1], 16)), name)
        if link == word.strip():
            assert seen == word
            assert [each.word for each in hostile.nearest(word)][:1]
        assert not re.search("[\\0-\\x1f\u202a-\u202e\u2066-\u2069]", name)
    for word, nearest in (("same", "again"), ("nothing", None)):
        look_up(window, word)
        assert [name for name, _ in neighbours(window)][:1] == ([nearest] if nearest else [])
    assert window.run("document.images.length + document.scripts.length") == 1
    assert window.run("document.title") == HOSTILE[1]
    assert is_quiet(window, page)
