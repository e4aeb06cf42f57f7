"""Scores agree with scikit-learn and rouge-score, tests of differences with SciPy."""

from __future__ import annotations

import math
import random
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from rouge_score.rouge_scorer import RougeScorer
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from wxtuning.errors import DataError
from wxtuning.metrics import (
    NO_LABEL,
    Difference,
    accuracy,
    confusion,
    exact_match,
    macro_f1,
    mcnemar,
    paired_bootstrap,
    parse_label,
    perplexity,
    rouge_l,
    sign_flip,
)

LABELS = ("billing", "delivery", "praise")
SEEDS = range(12)


def answers(seed):
    """Outputs, some of which are no label, and references."""
    dice = random.Random(seed)
    size = dice.randint(1, 40)
    return dice.choices([*LABELS, NO_LABEL], k=size), dice.choices(LABELS, k=size)


def scores(seed, size=10):
    dice = np.random.default_rng(seed)
    return dice.random(size), dice.random(size)


def right_and_wrong(seed):
    dice = random.Random(seed)
    size = dice.randint(1, 60)
    return dice.choices([0.0, 1.0], k=size), dice.choices([0.0, 1.0], k=size)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_is_that_of_scikit_learn(seed):
    outputs, references = answers(seed)
    assert accuracy(outputs, references) == pytest.approx(accuracy_score(references, outputs))


@pytest.mark.parametrize("seed", SEEDS)
def test_macro_f1_is_that_of_scikit_learn(seed):
    outputs, references = answers(seed)
    expected = f1_score(references, outputs, labels=LABELS, average="macro", zero_division=0)
    assert macro_f1(outputs, references, LABELS) == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_confusion_is_that_of_scikit_learn(seed):
    outputs, references = answers(seed)
    columns = [*LABELS, NO_LABEL]
    found = confusion(outputs, references)
    table = [[found.get(reference, {}).get(output, 0) for output in columns] for reference in columns]
    assert table == confusion_matrix(references, outputs, labels=columns).tolist()


def test_answers_that_are_all_right_score_one():
    assert accuracy(LABELS, LABELS) == macro_f1(LABELS, LABELS, LABELS) == 1.0


def test_answers_that_are_no_label_score_zero():
    nothing = [NO_LABEL] * len(LABELS)
    assert accuracy(nothing, LABELS) == macro_f1(nothing, LABELS, LABELS) == 0.0


def test_a_label_neither_expected_nor_answered_counts_zero_in_macro_f1():
    assert macro_f1(["billing"], ["billing"], ("billing", "praise")) == 0.5


@pytest.mark.parametrize("score", [accuracy, confusion, lambda a, b: macro_f1(a, b, LABELS), mcnemar])
def test_a_missing_answer_is_an_error_and_not_a_shorter_comparison(score):
    with pytest.raises(ValueError, match=r"shorter|longer"):
        score(["billing"], ["billing", "praise"])


@pytest.mark.parametrize(
    ("metric", "given", "needed"),
    [
        (accuracy, ([], []), "reference"),
        (macro_f1, ([], [], LABELS), "reference"),
        (macro_f1, (["praise"], ["praise"], ()), "label"),
        (perplexity, ([], []), "text"),
        (perplexity, ([0.0], [0]), "token"),
    ],
)
def test_a_score_of_nothing_is_an_error_that_says_what_is_needed(metric, given, needed):
    with pytest.raises(DataError, match=f"{metric.__name__} needs one {needed} or more, found none") as caught:
        metric(*given)
    assert caught.value.hint


@pytest.mark.parametrize("answer", ["praise", " Praise\n", "PRAISE.", "'praise'", '"Praise".', "`praise`", "\tpraise"])
def test_white_space_case_quotes_and_a_full_stop_around_a_label_are_forgiven(answer):
    assert parse_label(answer, LABELS) == "praise"


@pytest.mark.parametrize(
    "answer", ["", " ", ".", "prais", "praises", "praise billing", "The label is praise", "pr aise", "no praise", "0"]
)
def test_an_answer_that_only_talks_about_a_label_is_no_label(answer):
    assert parse_label(answer, LABELS) == NO_LABEL


def test_a_label_is_given_back_in_the_words_of_the_data():
    assert parse_label("very good", ("Good", "Very Good")) == "Very Good"


def test_no_label_is_named_where_there_are_none():
    assert parse_label("praise", ()) == NO_LABEL


def test_exact_match_forgives_white_space_and_nothing_else():
    assert exact_match(" a  b\n", "a b") == 1.0
    assert exact_match("A b", "a b") == exact_match("a b.", "a b") == exact_match("ab", "a b") == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_rouge_l_is_that_of_rouge_score(seed):
    dice = random.Random(seed)
    words = ["the", "order", "Was", "late,", "3", "don't", "well-made", "x_y", "--"]
    output, reference = (" ".join(dice.choices(words, k=dice.randint(1, 25))) for _ in range(2))
    expected = RougeScorer(["rougeL"], use_stemmer=False).score(reference, output)["rougeL"].fmeasure
    assert rouge_l(output, reference) == pytest.approx(expected)


@pytest.mark.parametrize(("output", "reference"), [("", ""), ("", "a"), ("a", ""), ("...", "a"), ("a", "b")])
def test_rouge_l_of_texts_without_a_common_word_is_zero(output, reference):
    assert rouge_l(output, reference) == 0.0


def test_rouge_l_reads_words_of_any_script():
    assert rouge_l("заказ пришёл", "Заказ пришёл!") == 1.0


def test_perplexity_is_the_exponential_of_the_log_loss():
    chances = np.random.default_rng(0).dirichlet(np.ones(3), size=20)
    truth = np.random.default_rng(1).integers(3, size=20)
    losses = [-math.log(row[answer]) for row, answer in zip(chances, truth, strict=True)]
    assert perplexity(losses, [1] * 20) == pytest.approx(math.exp(log_loss(truth, chances, labels=[0, 1, 2])))


def test_perplexity_weighs_tokens_and_not_texts():
    assert perplexity([2.0, 4.0], [1, 3]) == pytest.approx(math.exp(6 / 4))


def test_perplexity_of_a_hopeless_model_stays_a_number():
    assert math.isfinite(perplexity([1e9], [1]))


@pytest.mark.parametrize("seed", SEEDS)
def test_mcnemar_is_the_binomial_test_of_scipy_on_the_disagreements(seed):
    first, second = right_and_wrong(seed)
    wins = sum(a > b for a, b in zip(first, second, strict=True))
    rows = sum(a != b for a, b in zip(first, second, strict=True))
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(wins, rows).pvalue if rows else 1.0)


def test_mcnemar_is_the_same_from_both_sides():
    first, second = right_and_wrong(3)
    assert mcnemar(first, second) == mcnemar(second, first)


def test_mcnemar_of_equal_answers_is_one():
    assert mcnemar([1, 0, 1], [1, 0, 1]) == mcnemar([], []) == 1.0


def test_mcnemar_survives_thousands_of_rows():
    assert 0 <= mcnemar([1.0] * 3000, [0.0] * 3000) < 1e-100


def test_the_oldest_scipy_that_is_asked_for_takes_the_rng_of_these_tests():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    asked = map(Requirement, project["optional-dependencies"]["test"])
    (scipy,) = (requirement for requirement in asked if requirement.name == "scipy")
    assert "1.14.1" not in scipy.specifier
    assert "1.15.0" in scipy.specifier


@pytest.mark.parametrize("seed", range(3))
def test_the_paired_bootstrap_is_that_of_scipy(seed):
    first, second = scores(seed, size=40)
    theirs = stats.bootstrap((first - second,), np.mean, method="percentile", n_resamples=9999, rng=7)
    ours = paired_bootstrap(first, second, samples=9999, seed=7)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)


def test_the_paired_bootstrap_of_a_constant_difference_is_that_difference():
    assert paired_bootstrap([3.0] * 5, [1.0] * 5, samples=100, seed=0) == (2.0, 2.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_sign_flip_test_is_the_permutation_test_of_scipy(seed):
    first, second = scores(seed)
    exact = stats.permutation_test(
        (first, second), lambda a, b, axis=-1: (a - b).mean(axis=axis), permutation_type="samples", vectorized=True
    )
    assert sign_flip(first, second, samples=9999, seed=seed) == pytest.approx(exact.pvalue, abs=0.02)


def test_the_sign_flip_test_of_equal_answers_is_one():
    assert sign_flip([0.5, 0.2], [0.5, 0.2], samples=99, seed=0) == 1.0


def test_a_p_value_is_never_zero():
    assert sign_flip([1.0] * 50, [0.0] * 50, samples=99, seed=0) == pytest.approx(1 / 100)


@pytest.mark.parametrize("method", [paired_bootstrap, sign_flip])
def test_the_same_seed_gives_the_same_result(method):
    first, second = scores(0)
    assert method(first, second, samples=200, seed=5) == method(first, second, samples=200, seed=5)


@pytest.mark.parametrize(("p_value", "significant"), [(0.049, True), (0.05, False), (1.0, False)])
def test_a_difference_is_significant_below_one_in_twenty(p_value, significant):
    difference = Difference(
        column="tuned", against="untuned", metric="accuracy", mean=0.1, low=0, high=0.2, p_value=p_value, test="exact"
    )
    assert difference.significant is significant
