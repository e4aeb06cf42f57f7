import pytest

from wxtuning.tiny import gates


def test_a_bar_knows_its_side():
    assert gates.Bar(name="tuned", value=0.95, limit=0.95).passed
    assert not gates.Bar(name="tuned", value=0.94, limit=0.95).passed
    assert gates.Bar(name="bare", value=0.05, limit=0.05, at_most=True).passed
    assert not gates.Bar(name="bare", value=0.06, limit=0.05, at_most=True).passed


def test_exact_match_is_the_share_of_right_answers():
    pairs = (("a comment", "satisfied"), ("another", "unsatisfied"))
    assert gates.exact_match([" satisfied", "satisfied"], pairs) == pytest.approx(0.5)


def test_the_held_out_demonstration_rows_are_not_tuned_on():
    train, held_out = gates.demonstration()
    assert len(train) == 150
    assert len(held_out) >= 100
    assert not {comment for comment, _ in train} & {comment for comment, _ in held_out}


def test_known_pattern_test_comments_are_not_among_the_tuning_examples():
    train, test = gates.satisfaction(150, 1), gates.satisfaction(200, 2, held_out=True)
    assert not {comment for comment, _ in train} & {comment for comment, _ in test}
    assert {label for _, label in (*train, *test)} == {"satisfied", "unsatisfied"}
