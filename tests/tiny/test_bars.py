import pytest

from wxtuning.tiny import gates, model_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report():
    return gates.measure(model_folder())


def test_every_bar_is_kept(report):
    assert not [bar for bar in report.bars if not bar.passed]


def test_without_a_prompt_the_base_does_something_else_with_the_demonstration(report):
    assert report.columns.bare <= 0.05


def test_the_card_tells_the_numbers_of_this_model(report):
    card = (model_folder() / "README.md").read_text(encoding="utf-8")
    told = [line.split("|")[1:4] for line in card.splitlines() if line.startswith("| tuned, new")]
    assert [float(measured) for _, _, measured in told] == pytest.approx(report.columns.tuned, abs=0.03)
