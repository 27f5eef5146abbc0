"""The page in Chromium: no message, no request, no obstacle for keyboards and screen readers, safe names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
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
    sites = [f"site {HOSTILE[at % 2]}" for at in range(100)]
    trials = observe(rng, minds, {"8-rank-2": 60, "2-choose-1": 40}, extra={"site": pa.array(sites)})
    trials.images[: len(HOSTILE)] = HOSTILE
    return [
        outcomes_of(name, "mse", trials, model(rng, minds, noise))
        for name, noise in zip(HOSTILE, np.linspace(0.3, 3, len(HOSTILE)), strict=True)
    ]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with thumbnails, matrices, strata and a training."""
    folder, outcomes = tmp_path_factory.mktemp("page"), scored()
    names = [str(name) for name in outcomes[0].trials.images]
    paths = [folder / f"{at}.png" for at in range(len(names))]
    for at, path in enumerate(paths):
        Image.new("RGB", (200, 150), (at * 15, 90, 200 - at * 10)).save(path)
    images = Images.build(names, [str(path) for path in paths])
    log = folder / "<b>net&amp;" / "training" / "log.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,loss,<b>,val_top_1\n1,2,3,.1\n2,1,3,.3\n3,.5,3,.2\n")
    models = [log.parent.parent]
    stages.report(
        outcomes, html=folder / "page.html", images=images, models=models, replicates=100, compare=True, by=["site"]
    )
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


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (SCREEN, "light")])
def test_the_page_is_quiet_accessible_and_not_too_wide(browser: Browser, file: Path, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, said = opened(browser, file, width, scheme)
    for folded in (".part details", "#training details"):
        page.locator(folded).first.evaluate("details => { details.open = true }")
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
    for _ in range(400):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.name || document.activeElement.id || document.activeElement.tagName")
        )
        if "more" in reached:
            break
    controls = {"model", "distance", "trials", "metric", "stratum", "SUMMARY", "a", "b", "outcome", "order", "more"}
    assert controls <= reached


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
    page.locator("#filters [name=trials]").select_option("=2-choose-1")
    assert blocks.count() == 1
    assert (
        page.locator(".table[data-trials]:visible").evaluate_all("all => all.map(each => each.dataset.trials)")
        == ["2-choose-1"] * page.locator(".table[data-trials]:visible").count()
    )
    page.locator("#filters button").click()
    assert (rows.count(), blocks.count()) == (whole, tables)


def test_a_stratum_leaves_its_tables_and_its_lines(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    tables, strata = page.locator(".table:visible"), page.locator("#filters [name=stratum] option")
    whole, names = tables.count(), strata.all_inner_texts()
    assert names[:2] == ["all", "undivided"]
    assert len(names) == 4
    page.locator("#filters [name=stratum]").select_option(strata.nth(2).get_attribute("value"))
    wanted = f"[data-stratum={page.evaluate('value => JSON.stringify(value)', names[2])}]"
    assert 1 < tables.count() < whole
    lines = page.locator(".table:not([data-stratum]) tbody tr:visible")
    assert lines.count() == len(HOSTILE) == page.locator(f"tr{wanted}:visible").count()
    assert page.locator(f".matrix{wanted}:visible").count() == 1
    assert re.fullmatch(r"\d+ rows in \d+ tables", page.locator("#filters output").inner_text())
    page.locator("#filters button").click()
    assert tables.count() == whole


@pytest.mark.parametrize("width", [PHONE, SCREEN])
def test_a_matrix_keeps_its_names_in_sight_and_says_its_intervals(browser: Browser, file: Path, width: int) -> None:
    page, _ = opened(browser, file, width)
    matrix = page.locator(".matrix").first
    matrix.locator(".scroll").evaluate("part => { part.scrollLeft = 10_000 }")
    name = matrix.locator("tbody th").first.bounding_box()
    assert name is not None
    assert name["x"] == pytest.approx(
        matrix.locator(".scroll").evaluate("part => part.getBoundingClientRect().x"), abs=1
    )
    cell = matrix.locator("tbody td[title]").first
    assert re.fullmatch(r"95 % CI [+-]\.\d+ to [+-]\.\d+, p \(Holm\) .*", cell.get_attribute("title") or "")
    assert (cell.text_content() or "").endswith(f", {cell.get_attribute('title')}")
    columns = matrix.locator("thead th:not(.name)").evaluate_all("all => all.map(each => each.title)")
    assert columns == matrix.locator("tbody th").all_inner_texts()


def test_a_training_shows_its_curves_and_its_numbers(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, PHONE)
    part = page.locator("#training")
    assert part.locator("h2").inner_text() == "Training of <b>net&amp;"
    assert "Epoch 2 (validation top-1 accuracy 0.3) is the best so far" in part.inner_text()
    assert part.locator("svg").count() == 2
    assert "0.1 at epoch 1, 0.2 at epoch 3" in (part.locator("svg").last.get_attribute("aria-label") or "")
    assert part.locator("svg text").first.evaluate("text => text.getBoundingClientRect().height") >= 11
    part.locator("summary").press("Enter")
    assert part.locator("tr.kept").inner_text().split() == ["2", "1", "0.3"]


def test_the_figure_is_on_the_first_screen(browser: Browser, file: Path) -> None:
    for width in (PHONE, SCREEN):
        page, _ = opened(browser, file, width)
        for part in page.locator(".overview tbody tr").first.locator("strong, small").all():
            box = part.bounding_box()
            assert box is not None
            assert 0 <= box["x"] <= box["x"] + box["width"] <= width
            assert box["y"] < 800


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
