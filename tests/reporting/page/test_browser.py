"""The page in Chromium: no message, no request, no obstacle for keyboards and screen readers, safe names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from simtool import stages
from simtool.tables.images import Images
from simtool.tables.outcomes import Outcomes
from tests.reporting.conftest import HOSTILE
from tests.scored import latent, model, observe, outcomes_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("chromium")]

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
PHONE, SCREEN = 390, 1280


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("there is no Chromium: install it, on Debian by apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def scored() -> list[Outcomes]:
    """Models with hostile names on images with hostile names."""
    rng = np.random.default_rng(0)
    minds = latent(rng, 14)
    trials = observe(rng, minds, {"8-rank-2": 60, "2-choose-1": 40})
    trials.images[: len(HOSTILE)] = HOSTILE
    return [
        outcomes_of(name, "mse", trials, model(rng, minds, noise))
        for name, noise in zip(HOSTILE, np.linspace(0.3, 3, len(HOSTILE)), strict=True)
    ]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with thumbnails."""
    folder, outcomes = tmp_path_factory.mktemp("page"), scored()
    names = [str(name) for name in outcomes[0].trials.images]
    paths = [folder / f"{at}.png" for at in range(len(names))]
    for at, path in enumerate(paths):
        Image.new("RGB", (200, 150), (at * 15, 90, 200 - at * 10)).save(path)
    images = Images.build(names, [str(path) for path in paths])
    stages.report(outcomes, html=folder / "page.html", images=images, replicates=100, baseline=HOSTILE[-1])
    return folder / "page.html"


def opened(browser: Browser, file: Path, width: int = SCREEN, scheme: Any = "light") -> tuple[Page, list[str]]:
    """The page, and its messages and requests."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda failure: said.append(str(failure)))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith("data:") else None)
    page.goto(file.as_uri())
    return page, said


@pytest.mark.parametrize("width", [PHONE, SCREEN])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_quiet_accessible_and_not_too_wide(browser: Browser, file: Path, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, said = opened(browser, file, width, scheme)
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == [file.as_uri()]


def test_hostile_names_are_shown_as_text(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    assert page.evaluate("document.scripts.length") == 3
    assert page.locator("f, red, b, script[src]").count() == 0
    assert page.locator("tbody th.name", has_text="--><script>alert(1)</script>&lt;").count() > 0
    assert page.locator("#choose option", has_text="a | b `c` $d$ **e** <f>, mse").count() == 2


def test_accuracy_and_interval_are_visible_on_a_phone(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, PHONE)
    for cell in page.locator("table.accuracies").first.locator("tbody tr").first.locator("th, td:not(.minor)").all():
        box = cell.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE


def test_notes_below_wide_tables_are_visible_on_a_phone(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, PHONE)
    page.evaluate("for (const part of document.querySelectorAll('.sheet .scroll')) part.scrollLeft = 100")
    boxes = [note.bounding_box() for note in page.locator(".sheet caption").all()]
    assert boxes
    assert all(box and 0 <= box["x"] <= box["x"] + box["width"] <= PHONE for box in boxes)


def test_the_keyboard_reaches_every_control(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the tables"
    reached = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.id || ''"))
    assert {"model", "distance", "type", "metric", "a", "b", "outcome", "order", "more"} <= reached


def test_a_heading_sorts_its_table_up_and_down(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    table = page.locator("table.accuracies").first
    heading = table.locator("thead th", has_text="accuracy")

    def values() -> list[float]:
        return [float(text) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]

    for direction in ("descending", "ascending"):
        heading.locator("button").press("Enter")
        assert heading.get_attribute("aria-sort") == direction
        assert values() == sorted(values(), reverse=direction == "descending")


def test_filters_hide_rows_and_tables_until_all_are_shown_again(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    rows, blocks = page.locator("table.accuracies tbody tr:visible"), page.locator(".block:visible")
    whole, tables = rows.count(), blocks.count()
    page.locator("#filters [name=model]").fill("hyperlink")
    assert rows.count() == tables
    page.locator("#filters [name=type]").select_option("2-choose-1")
    assert blocks.count() == 1
    page.locator("#filters button").click()
    assert (rows.count(), blocks.count()) == (whole, tables)


def test_the_judgments_show_images_choices_and_models(browser: Browser, file: Path) -> None:
    page, said = opened(browser, file)
    shown = page.locator("#judgments > li")
    assert shown.count() == 12
    page.locator("#more").click()
    assert shown.count() == 24
    page.locator("#choose [name=type]").select_option("2-choose-1")
    page.locator("#choose [name=outcome]").select_option("none")
    first = shown.first
    assert "predicts 0 of 1" in first.locator("p").inner_text()
    assert first.locator("img").count() == 3
    assert first.locator("li").nth(1).inner_text().strip() == "selected"
    assert first.locator("li").nth(2).inner_text().startswith("nearer for A")
    assert first.locator("img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 128
    assert said == [file.as_uri()]


def test_a_judgment_states_how_many_of_its_comparisons_are_predicted(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    page.locator("#choose [name=type]").select_option("8-rank-2")
    for order in ("hard", "easy", "apart"):
        page.locator("#choose [name=order]").select_option(order)
        found = page.locator("#judgments p").all_inner_texts()
        assert len(found) == 12
        counts = [count for text in found for count in re.findall(r"predicts (\S+) of 13", text)]
        assert len(counts) == 24
        assert all(float(count) == round(2 * float(count)) / 2 for count in counts)


def test_without_scripts_the_tables_are_complete(browser: Browser, file: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(file.as_uri())
    assert page.locator("table.accuracies").count() > 1
    assert not page.locator("#filters").is_visible()
    assert "by a script, which this browser does not run" in page.locator("#gallery").inner_text()
