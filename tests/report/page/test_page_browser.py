"""The page in a real headless Chromium; skipped where none is installed."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from glocalk.report.page.screenshot import SIZE, is_stale, take

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.slow

COMMITTED = Path(__file__).resolve().parents[3] / "reports"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        installed = [path for path in map(shutil.which, NAMES) if path]
        own = playwright.chromium.executable_path
        programs = installed + [own] * Path(own).exists()
        if not programs:
            pytest.skip("no Chromium on the PATH, nor one of playwright's own")
        launched = playwright.chromium.launch(executable_path=programs[0], args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module", params=["made up", "committed"])
def folder(request, site):
    return site if request.param == "made up" else COMMITTED


@pytest.fixture
def opened(browser, folder):
    """Opens the page; fails if it says anything on the console or asks for anything else."""
    contexts, said = [], []

    def open_page(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        made = context.new_page()
        made.on("console", lambda message: said.append(message.text))
        made.on("pageerror", lambda error: said.append(str(error)))
        made.on("request", lambda request: said.append(request.url))
        made.on("requestfailed", lambda request: said.append(request.url))
        made.goto((folder / "index.html").as_uri())
        return made

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in said if not line.startswith(("file:", "data:"))] == []
    assert {line for line in said if line.startswith("file:")} == {(folder / "index.html").as_uri()}


def texts(page, selector):
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def visible(page, selector):
    """Number of the elements that are shown, and of all."""
    return page.locator(selector).evaluate_all(
        "all => [all.filter(each => each.checkVisibility()).length, all.length]"
    )


def the_curve(page):
    """The one learning curve that is shown."""
    assert visible(page, "#curves .choice")[0] == 1
    return page.locator("#curves .choice:visible")


def table1(folder):
    """The rows of `table1.csv` by model, in order."""
    models = {}
    for row in csv.DictReader((folder / "table1.csv").read_text().splitlines()):
        models.setdefault(row["model"], {})[row["data"]] = row
    return models


def shown_order(page):
    return page.locator("#table1-table tbody tr[data-model]").evaluate_all(
        "rows => rows.map(row => row.dataset.model)"
    )


def test_every_column_sorts_both_ways_and_back(opened):
    page = opened(viewport={"width": 1280, "height": 800})
    page.locator("[name=protocol][value=all]").check()
    before = shown_order(page)
    columns = page.locator("#table1-table thead th[data-sort]").count()
    assert columns == 2 + 3 * 6
    for column in range(columns):
        head = page.locator("#table1-table thead th[data-sort]").nth(column)
        cells = page.locator("#table1-table tbody tr[data-model]").evaluate_all(
            """(rows, column) => rows.map(row => [row.dataset.model, column < 2
            ? row.cells[column].textContent.trim().toLowerCase()
            : row.cells[column].dataset.value])""",
            column,
        )
        key = (lambda cell: cell[1]) if column < 2 else (lambda cell: float(cell[1]))
        with_value = [cell for cell in cells if cell[1]]
        without = [name for name, value in cells if not value]
        for direction in ("ascending", "descending"):
            head.locator("button").click()
            assert head.get_attribute("aria-sort") == direction
            expected = sorted(with_value, key=key, reverse=direction == "descending")
            assert shown_order(page) == [name for name, _ in expected] + without
        head.locator("button").click()
        assert head.get_attribute("aria-sort") is None
        assert shown_order(page) == before


@pytest.mark.parametrize("column", [0, 3, 4])
def test_tables_with_units_sort_by_their_values(opened, column):
    page = opened()
    head = page.locator("#costs thead th[data-sort]").nth(column)
    rows = page.locator("#costs tbody tr")
    values = """(rows, column) => rows.map(row => row.cells[column])
        .map(cell => cell.dataset.value ?? cell.textContent)"""
    before = rows.evaluate_all(values, column)
    head.locator("button").click()
    figures = [value for value in before if value]
    key = float if column else str.lower
    missing = [""] * (len(before) - len(figures))
    assert rows.evaluate_all(values, column) == sorted(figures, key=key) + missing
    head.locator("button").click()
    assert rows.evaluate_all(values, column) == sorted(figures, key=key, reverse=True) + missing


def test_a_protocol_shows_the_figures_of_the_records(opened, folder):
    page = opened()
    models = table1(folder)
    for protocol in ("best_test", "validated", "held_out", "last", "official"):
        page.locator(f"#table1 [name=protocol][value={protocol}]").check()
        shown = [
            [cell.strip() for cell in row.split("\t")]
            for row in texts(page, "#table1-table tbody tr[data-model]")
        ]
        assert len(shown) == len(models)
        for line, row in zip(shown, models.values(), strict=True):
            figures = line[-6:]
            for place, data in enumerate(("ml_100k", "ml_1m", "douban")):
                value = row.get(data, {}).get(f"{protocol}_mean")
                expected = f"{float(value):.4f}".removeprefix("0") if value else "–"
                assert figures[2 * place + 1].split(" ± ")[0] == expected, (protocol, line)


def test_a_sorted_column_that_is_hidden_hands_the_order_to_the_one_shown(opened):
    page = opened()
    page.locator("#table1-table thead [data-column=validated] button").first.click()
    page.locator("#table1 [name=protocol][value=last]").check()
    sorted_head = page.locator("#table1-table [aria-sort]")
    assert sorted_head.count() == 1
    assert sorted_head.get_attribute("data-column") == "last"
    assert sorted_head.is_visible()


def test_filters_keep_the_rows_and_columns_that_fit(opened, folder):
    page = opened()
    every = shown_order(page)
    status = page.locator("#table1 form [role=status]")
    assert status.inner_text() == f"{len(every)} of {len(every)} models"
    page.get_by_label("Model", exact=True).first.fill("LOCAL")
    names = texts(page, "#table1-table tbody tr[data-model]:visible th")
    assert names == [name for name in every if "local" in name.lower()]
    assert status.inner_text() == f"{len(names)} of {len(every)} models"
    page.get_by_label("Model", exact=True).first.fill("")
    page.locator("#table1").get_by_label("Side information").select_option("yes")
    names = texts(page, "#table1-table tbody tr[data-model]:visible th")
    with_side = [
        row for rows in table1(folder).values() for row in list(rows.values())[:1]
        if row["side_information"] == "yes"
    ]  # fmt: skip
    assert len(names) == len(with_side) > 0
    page.locator("#table1").get_by_label("Side information").select_option("")
    page.get_by_label("ML-1M").first.uncheck()
    assert texts(page, "#table1-table thead th.set:visible") == ["ML-100K", "Douban"]
    assert visible(page, "#table1-table [data-set=ml_1m]")[0] == 0


def test_one_learning_curve_is_shown_and_its_values_are_read_by_key_and_pointer(opened):
    page = opened(viewport={"width": 1280, "height": 800})
    curve = the_curve(page)
    assert curve.get_attribute("data-model") == "glocal_k"
    slider = curve.locator("input[type=range]")
    slider.focus()
    slider.press("Home")
    first = slider.get_attribute("aria-valuetext")
    assert re.fullmatch(
        r"pre-training, epoch 1: Test, .* \d?\.\d{4}, Held-out .* \d?\.\d{4}", first
    )
    assert curve.locator("output").inner_text().startswith("pre-training, epoch 1")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext").startswith("pre-training, epoch 2")
    drawing = curve.locator("svg.drawing")
    box = drawing.bounding_box()
    drawing.hover(position={"x": 0.98 * box["width"], "y": box["height"] / 2})
    assert slider.get_attribute("aria-valuetext").startswith("fine-tuning, ")
    page.locator("#curves select").select_option("sparse_fc")
    curve = the_curve(page)
    assert curve.get_attribute("data-model") == "sparse_fc"


def test_the_keyboard_alone_reaches_every_control_and_its_focus_is_seen(opened):
    page = opened(viewport={"width": 1280, "height": 800})
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#table1 [name=protocol][value=all]").check()
    seen, sorting = 0, 0
    for _ in range(110):
        page.keyboard.press("Tab")
        outline, sorts, inside = page.evaluate(
            """() => { const active = document.activeElement, style = getComputedStyle(active);
            return [style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                    active.classList.contains("sort"), active !== document.body]; }"""
        )
        if inside:
            assert outline
            seen, sorting = seen + 1, sorting + sorts
    assert sorting >= 20
    assert seen > 40
    head = page.locator("#table1-table thead th[data-sort]").first
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("script", [True, False])
def test_a_phone_does_not_scroll_sideways(opened, script):
    page = opened(viewport={"width": 390, "height": 844}, java_script_enabled=script)
    widths = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1] == 390
    # Tables that are wider scroll in their own box.
    assert page.evaluate(
        """[...document.querySelectorAll("table")].every(table => table.closest(".scroll")
        || table.getBoundingClientRect().right <= innerWidth)"""
    )


CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (color) => { const [r, g, b] = color.map((value) => { const part = value / 255;
    return part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (element) => { for (let each = element; each; each = each.parentElement) {
    const color = rgb(getComputedStyle(each).backgroundColor); if (color[3] === 255) return color; }
    return [255, 255, 255, 255]; };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, style, title, desc, .spoken, option")) continue;
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    const pair = [light(rgb(drawn ? style.fill : style.color)), light(behind(element))];
    const ratio = (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
    if (ratio < 4.5) found.push([walker.currentNode.textContent.trim(), ratio, element.className]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(opened, scheme):
    page = opened(color_scheme=scheme)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 22, 25)"}[scheme]
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    assert page.evaluate(CONTRASTS) == []


def test_motion_is_left_out_where_it_is_not_wanted(opened):
    scrolling = "getComputedStyle(document.documentElement).scrollBehavior"
    assert opened(reduced_motion="reduce").evaluate(scrolling) == "auto"
    assert opened(reduced_motion="no-preference").evaluate(scrolling) == "smooth"


def test_print_shows_everything_without_controls_in_black_on_white(opened):
    page = opened(color_scheme="dark")
    page.get_by_label("Model", exact=True).first.fill("GLocal")
    page.get_by_label("ML-1M").first.uncheck()
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("nav", "form.controls", ".reader"):
        assert visible(page, hidden)[0] == 0
    for shown in ("#table1-table tr > *", ".choice", "details > :not(summary)", "svg.drawing"):
        seen, number = visible(page, shown)
        assert seen == number > 0
    colors = (
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert page.evaluate(colors) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    page.emulate_media(media="screen")
    assert texts(page, "#table1-table tbody tr[data-model]:visible th") == ["GLocal-K"]
    assert visible(page, "#table1-table [data-set=ml_1m]")[0] == 0


def test_without_scripts_all_tables_and_figures_are_there(opened):
    page = opened(java_script_enabled=False)
    for shown in ("table", "svg.drawing", "#table1-table tbody tr[data-model] > *"):
        seen, number = visible(page, shown)
        assert seen == number > 0
    assert visible(page, "form, button, input")[0] == 0


def test_a_record_is_not_obeyed(opened):
    page = opened()
    assert page.title() == "GLocal-K, measured again"
    assert page.locator("img[onerror]").count() == 0


def test_the_picture_is_the_first_screen_of_the_page(site, opened):
    page = opened(viewport={"width": SIZE[0], "height": SIZE[1]})
    # What follows the second heading is not in the picture, which does not vouch for it.
    assert page.locator("section").nth(1).locator("h2 + *").bounding_box()["y"] >= SIZE[1]
    installed = [path for path in map(shutil.which, NAMES) if path]
    if not installed:
        pytest.skip("no Chromium on the PATH")
    picture = take(site, Path(installed[0]))
    assert not is_stale(picture, (site / "index.html").read_text(encoding="utf-8"))
    assert picture.stat().st_size < 150_000
    picture.unlink()
