import random
from itertools import islice

import pytest

from wxtuning.tiny.corpus import CURRICULUM, examples, stage_at, task_examples
from wxtuning.tiny.grammar import fill
from wxtuning.tiny.tasks import TASKS
from wxtuning.tiny.tickets import FIELDS, ticket
from wxtuning.tiny.words import HELD_OUT_WORLD, TRAINING_WORLD


def drawn(seed, count=300):
    return list(islice(examples(random.Random(seed), TRAINING_WORLD, CURRICULUM[-1]), count))


def test_the_same_seed_gives_the_same_text_and_another_seed_another():
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_the_last_stage_holds_every_task():
    assert set(CURRICULUM[-1].weights) == set(TASKS)
    assert stage_at(1.0) == CURRICULUM[-1]
    assert stage_at(0.0) == CURRICULUM[0]


def test_no_slot_or_choice_is_left_in_a_comment():
    texts = [example.prompt + example.answer for example in drawn(3, 2_000)]
    assert not [text for text in texts if set("{}[]|") & set(text)]


@pytest.mark.parametrize("field", FIELDS)
def test_an_extracted_field_stands_in_the_comment(field):
    for example in task_examples(random.Random(4), HELD_OUT_WORLD, field, 20):
        assert example.output in example.input


def test_moods_are_balanced():
    rng = random.Random(5)
    satisfied = sum(ticket(rng, TRAINING_WORLD).satisfied for _ in range(2_000))
    assert 900 < satisfied < 1_100


def test_held_out_names_are_not_in_the_training_world():
    assert not set(HELD_OUT_WORLD.cities) & set(TRAINING_WORLD.cities)
    assert not set(HELD_OUT_WORLD.names) & set(TRAINING_WORLD.names)
    assert not set(HELD_OUT_WORLD.things) & set(TRAINING_WORLD.things)


def test_a_template_is_filled_through_and_tidied():
    slots = {"a": ("[big|big] {b}",), "b": ("apple",)}
    assert fill(random.Random(0), "An {a} , and a {b}.", slots) == "A big apple, and an apple."
