from tests.figures import Figures


def test_a_zero_stands_only_where_somebody_has_looked_for_losses() -> None:
    figures = Figures()
    figures.add("only killed", "kill points tried", 3)
    figures.compare("compared", ["a", "b", "b"], ["a", "b", "c"])
    figures.compare("well compared", ["a"], ["a"])
    _, _, *groups, everything = figures.rows()
    found = {name: cells[-2:] for name, *cells in groups}
    assert found == {"only killed": ["-", "-"], "compared": ["1", "1"], "well compared": ["0", "0"]}
    assert everything[-2:] == ("1", "1")
