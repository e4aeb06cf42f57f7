import json
import random
import re
from collections import Counter

from wxtuning.tiny import asides, demonstration, demonstration_file, phrases, subjects
from wxtuning.tiny.tickets import ticket
from wxtuning.tiny.words import HELD_OUT_WORLD, SLOTS, TRAINING_WORLD

ROWS = [json.loads(line) for line in demonstration_file().read_text(encoding="utf-8").splitlines()]
OWN_TEMPLATES = {
    *demonstration.SATISFIED,
    *demonstration.UNSATISFIED,
    *demonstration.SATISFIED_ENDINGS,
    *demonstration.UNSATISFIED_ENDINGS,
    *(template for templates in demonstration.ASIDES.values() for template in templates),
}


def pretraining_templates():
    yield from (*phrases.SATISFIED, *phrases.UNSATISFIED, *phrases.URGENT, *phrases.CALM)
    yield from (*asides.WHERE_AND_WHEN, *asides.WHO_SAYS, *asides.RELIEVED, *asides.BITTER)
    for templates in (*phrases.PLAIN.values(), *SLOTS.values()):
        yield from templates
    for subject in subjects.SUBJECTS:
        yield from (*subject.good, *subject.bad, *subject.good_events, *subject.bad_events)


def runs_of_words(text, length):
    words = re.findall(r"[a-z']+", text.lower())
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}


def test_the_shipped_file_is_exactly_what_the_module_makes():
    made = demonstration.as_jsonl(demonstration.demonstration_rows())
    assert demonstration_file().read_text(encoding="utf-8") == made


def test_labels_are_balanced_and_no_comment_comes_twice():
    assert Counter(row["satisfaction"] for row in ROWS) == {"satisfied": 200, "unsatisfied": 200}
    assert len({row["comment"] for row in ROWS}) == len(ROWS)


def test_every_field_is_in_the_comment_or_null():
    for row in ROWS:
        assert all(row[field] is None or row[field] in row["comment"] for field in ("product", "city", "order_number"))
    assert sum(row["order_number"] is not None for row in ROWS) >= 150
    assert sum(row["city"] is not None for row in ROWS) >= 150


def test_no_template_is_shared_with_the_pre_training():
    def bare(template):
        return template.lower().strip(" .!")

    assert not {bare(template) for template in OWN_TEMPLATES} & {bare(one) for one in pretraining_templates()}


def test_pre_training_text_holds_no_demonstration_sentence_and_few_runs_of_its_words():
    rng = random.Random(11)
    texts = [ticket(rng, TRAINING_WORLD).text for _ in range(20_000)]
    sentences = {part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s", text.lower())}
    met = set().union(*(runs_of_words(text, 5) for text in texts))
    runs = [run for row in ROWS for run in runs_of_words(row["comment"], 5)]
    templates = {template.lower() for template in OWN_TEMPLATES if "{" not in template}

    assert not templates & sentences
    assert sum(run in met for run in runs) / len(runs) < 0.03


def test_its_towns_are_not_those_of_the_pre_training_and_the_gates():
    met = {*TRAINING_WORLD.cities, *HELD_OUT_WORLD.cities}
    assert not met & set(demonstration.TOWNS)
