"""Texts that are nearly the same are found, and only those."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxtuning.records.twins import THRESHOLD, groups, likeness

WORDS = [f"{first}{last}" for first in "bdfgklmnprst" for last in ("an", "ip", "ole", "ura", "ek", "ost")]


def sentence(dice, size=30):
    return " ".join(dice.choices(WORDS, k=size))


def with_a_word_changed(text, place):
    words = text.split()
    words[place] = "changed"
    return " ".join(words)


def together(texts, threshold=THRESHOLD):
    found = groups(texts, threshold)
    return {frozenset(place for place, group in enumerate(found) if group == leader) for leader in found}


def test_case_white_space_and_punctuation_make_no_difference():
    assert groups(["Hello, world", "hello   WORLD!", "hello", "world hello"]) == [0, 0, 2, 3]


def test_texts_of_signs_alone_are_alike_only_if_they_are_the_same():
    assert groups(["!!!", "???", "!!!", "", " "]) == [0, 1, 0, 3, 3]


def test_scripts_without_spaces_are_compared_by_their_characters():
    text = "今日はとても天気がいいので公園まで散歩に行きました"
    assert groups([text, text.replace("公園", "学校"), "明日は雨が降るでしょう"], 0.6) == [0, 0, 2]


def test_short_texts_with_a_word_of_their_own_are_different():
    assert groups(["my order 12 is late", "my order 13 is late"]) == [0, 1]


def test_twins_among_many_are_all_found_and_nothing_else():
    dice = random.Random(0)
    texts = [sentence(dice) for _ in range(1500)]
    twins = {(place, len(texts) + number): place for number, place in enumerate(range(0, 1500, 5))}
    texts += [with_a_word_changed(texts[place], dice.randrange(30)) for place in twins.values()]
    assert {pair for pair in together(texts) if len(pair) > 1} == set(map(frozenset, twins))


def test_twins_of_twins_belong_together():
    text = sentence(random.Random(1), 20)
    chain = [text, with_a_word_changed(text, 3), with_a_word_changed(with_a_word_changed(text, 3), 12)]
    assert groups(chain, 0.75) == [0, 0, 0]


def test_an_instruction_in_front_of_every_text_does_not_make_them_alike():
    dice = random.Random(2)
    form = "decide whether the following review of a product is positive or negative and answer with one word review "
    texts = [form * 2 + sentence(dice, 8) for _ in range(200)]
    assert groups([*texts, f"{texts[7]}."]) == [*range(200), 7]


def test_the_same_text_many_times_stays_one_group():
    dice = random.Random(3)
    texts = [sentence(dice) for _ in range(20)] + ["once more with feeling"] * 80
    assert groups(texts)[20:] == [20] * 80


@pytest.mark.parametrize("seed", range(5))
def test_neither_the_order_nor_other_texts_decide_who_are_twins(seed):
    dice = random.Random(seed)
    texts = [sentence(dice) for _ in range(100)]
    texts += [with_a_word_changed(text, dice.randrange(30)) for text in texts[:30]]
    order = dice.sample(range(len(texts)), len(texts))
    mixed = groups([*(texts[place] for place in order), *(sentence(dice) for _ in range(50))])[: len(texts)]
    apart = {frozenset(order[place] for place, group in enumerate(mixed) if group == leader) for leader in mixed}
    assert apart == together(texts)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.text(alphabet="ab cC.\t漢\u0301é", max_size=12), max_size=12))
def test_a_group_is_a_chain_of_likeness_and_holds_every_repetition(texts):
    found = groups(texts)
    for place, group in enumerate(found):
        alike = (other for other, same in enumerate(found) if same == group and other != place)
        assert group == place == found.index(group) or any(likeness(texts[place], texts[n]) >= THRESHOLD for n in alike)
    for one in range(len(texts)):
        assert all(found[one] == found[n] for n in range(len(texts)) if texts[n].split() == texts[one].split())


def test_texts_that_no_file_could_hold_are_no_trouble():
    assert groups(["a \0 b c", "a b c", "\ud800 x y", "\ud800 x y!"]) == [0, 0, 2, 2]


def test_long_texts_are_compared_like_short_ones():
    dice = random.Random(4)
    texts = [" ".join(str(dice.randrange(10**6)) for _ in range(60_000)) for _ in range(5)]
    assert groups([*texts, with_a_word_changed(texts[2], 100)]) == [0, 1, 2, 3, 4, 2]


def test_no_texts_make_no_groups():
    assert groups([]) == []
    assert groups(["a"]) == [0]
