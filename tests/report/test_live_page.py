"""The live page is one file, its programs are the library's, and in a browser it plays and is edited."""

import json
import pathlib
import re

import networkx as nx
import pytest
from support.scripts import browser as launched

from ntkexec import graphs
from ntkexec.cli import main
from ntkexec.report import live_page

ROOT = pathlib.Path(__file__).parents[2]
MOST_BYTES = 400_000
ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.\w+")


def test_the_page_is_one_small_file_that_names_no_other():
    page = live_page.live_html()
    assert len(page.encode()) < MOST_BYTES
    # The name of SVG is no address that anything is loaded from.
    named = set(ADDRESS.findall(page)) - {"http://www.w3.org"}
    assert named == set()
    assert not re.search(
        r"\b(?:src|href)=|@import|url\(|fetch\(|import\(", page.replace('href="data:,"', "")
    )
    assert "/*" not in re.sub(r"<script id=\"data\".*?</script>", "", page, flags=re.DOTALL)
    assert page.count("</script>") == 2


@pytest.mark.parametrize("name", live_page.SIZES)
def test_its_programs_are_those_that_the_command_shows(name, capsys):
    sizes = live_page.SIZES[name]
    words = [word for size, value in sizes.items() for word in (f"--{size}", str(value))]
    assert main(["show", name, *words, "--json", "--templates"]) == 0
    shown = json.loads(capsys.readouterr().out)
    page = live_page.live_html()
    start = page.index('type="application/json">') + len('type="application/json">')
    held = json.loads(page[start : page.index("</script>", start)])[name]
    listing = shown["listing"]
    words = [template.pop("text") for template in listing["program"]["templates"]]
    assert words == shown["templates"]
    assert held["listing"] == listing
    assert held["parameters"] == shown["parameters"]


def test_the_site_ships_this_page():
    shipped = (ROOT / "docs" / "live.html").read_text(encoding="utf-8")
    assert shipped == live_page.live_html(), "run ntkexec live --html docs/live.html"
    assert "(live.html)" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_a_target_that_cannot_be_written_is_refused(tmp_path, capsys):
    assert main(["live", "--html", str(tmp_path / "missing" / "page.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err


# In a browser.


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture
def visit(browser, tmp_path):
    """Opens the page; in the end nothing may have gone to the console or the network."""
    complaints, pages = [], []
    live_page.save_live(tmp_path / "live.html")

    def opened(width=1300, **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: r.url.startswith("http") and complaints.append(r.url))
        page.goto((tmp_path / "live.html").as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []


def members(page, place):
    page.locator("#members").evaluate(
        "(dial, place) => { dial.value = place; dial.dispatchEvent(new Event('input')); }", place
    )


def wrong_bits(page):
    return page.evaluate(
        "page.at.learned.wrong.reduce((n, map) => n + [...map.values()].flat().length, 0)"
    )


def test_one_network_goes_wrong_and_says_where_and_many_are_exact(visit):
    page = visit()
    # Some draw of one network is wrong: half of them are.
    for _ in range(20):
        if wrong_bits(page):
            break
        page.locator("#redraw").click()
    step, node, bit = page.evaluate("""() => {
      const at = page.at.learned.wrong.findIndex(map => map.size);
      const [v, [b]] = [...page.at.learned.wrong[at]][0];
      return [at + 1, v, page.at.program.names[b]];
    }""")
    for _ in range(step):
        page.locator("#next").click()
    assert f"in step {step}: {bit} at node {node}" in page.locator("#verdict").text_content()
    guilty = page.locator(f'[data-node="{node}"]')
    assert "wrong" in guilty.get_attribute("class")
    assert bit in guilty.text_content()
    members(page, 9)
    page.locator("#last").click()
    assert wrong_bits(page) == 0
    assert "Exact: all 10 nodes" in page.locator("#verdict").text_content()
    assert page.locator(".vertex.wrong").count() == 0


def test_play_runs_to_the_end(visit):
    page = visit(reduced_motion="reduce")
    page.locator("#speed").select_option("90")
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('slider').value == page.at.steps")
    assert page.locator("#play").get_attribute("aria-pressed") == "false"
    page.keyboard.press("Home")
    assert page.locator("#step").text_content() == "step 0 of 5"


def test_a_graph_is_changed_by_keys_and_by_pointer_and_saved_for_the_command(visit, tmp_path):
    page = visit()
    page.locator("#graph-name").select_option("path:6")
    page.locator("#tools input[value=add]").check()
    page.locator('[data-node="5"]').focus()
    page.keyboard.press("Enter")
    assert page.locator(".vertex").count() == 7
    page.locator("#tools input[value=connect]").check()
    for node in (0, 6):
        page.locator(f'[data-node="{node}"]').focus()
        page.keyboard.press("Enter")
    page.locator("#tools input[value=remove]").check()
    page.locator('[data-node="2"] .touch').click()
    page.locator("#tools input[value=start]").check()
    page.locator('[data-node="3"] .touch').click()
    assert "graph.json --source 3" in page.locator("#commands").text_content()
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(tmp_path / "graph.json")
    loaded = graphs.load(tmp_path / "graph.json")
    edges = zip(loaded.tuple.senders.tolist(), loaded.tuple.receivers.tolist(), strict=True)
    found = nx.Graph(list(edges))
    assert nx.utils.graphs_equal(found, nx.Graph([(0, 1), (2, 3), (3, 4), (4, 5), (0, 5)]))


def test_a_tap_chooses_a_node_and_tells_of_it(visit):
    page = visit(400, has_touch=True)
    page.locator("#next").tap()
    page.locator('[data-node="3"] .touch').tap()
    assert "selected" in page.locator('[data-node="3"]').get_attribute("class")
    assert page.locator("#node").text_content().startswith("Node 3: not reached")


def test_what_the_programs_do_not_take_is_refused_in_words(visit):
    page = visit()
    page.locator("#graph-name").select_option("complete:5")
    page.locator("#tools input[value=add]").check()
    page.locator("#graph").click(position={"x": 20, "y": 200})
    page.locator("#tools input[value=connect]").check()
    for node in (5, 0):
        page.locator(f'[data-node="{node}"] .touch').click()
    assert "Node 0 has 4 neighbours" in page.locator("#node").text_content()


@pytest.mark.parametrize(
    "width", [400, *(pytest.param(width, marks=pytest.mark.slow) for width in (800, 1600))]
)
def test_nothing_overflows_at_any_width_and_every_control_has_a_name(visit, width):
    page = visit(width, color_scheme="dark", has_touch=width == 400)
    for algorithm in live_page.SIZES:
        page.locator("#algorithm").select_option(algorithm)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("page.at.certificate.certified")
    names = page.evaluate("""[...document.querySelectorAll('button, input, select, [role=button]')]
      .map(one => one.getAttribute('aria-label') || (one.closest('label') || one).textContent.trim())""")
    assert all(names)
