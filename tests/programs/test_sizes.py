"""The page of sizes says what the programs are, and how much smaller than the public ones."""

from benchmarks import sizes


def test_the_page_is_what_its_command_writes():
    assert sizes.PAGE.read_text(encoding="utf-8") == sizes.page(sizes.run()["rows"])


def test_programs_are_smaller_and_faster_than_the_public_ones_by_the_stated_factors():
    fewer = {"bfs": (25, 50), "dfs": (8, 20), "bellman-ford": (8, 20)}
    for row in sizes.run()["rows"]:
        templates, steps = fewer[row["program"]]
        if row["program"] == "bfs" and row["D"] == 4:
            templates = 50
        assert min(row["fewer_used"], row["fewer_D^2+1"]) >= templates, row
        # Three nodes are too few to tell; and see the page on graphs of degree 2.
        if row["nodes"] > 3 and (row["program"], row["D"]) != ("dfs", 2):
            assert row["fewer_steps"] >= steps, row
        assert row["fewer_steps"] >= 11, row
