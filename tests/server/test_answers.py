"""Answers in this process: the same from many callers at once, streamed, in time, and in bounded memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from httpx import Request, Response
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from tests.server import models
from tests.server.models import COMMENTS, TEMPLATE
from wxtuning import engine, tiny
from wxtuning.engine import Batch, Decoding, EngineError, Generator
from wxtuning.engine.template import render
from wxtuning.server.answering.answers import Answers, Ask
from wxtuning.server.answering.failures import Failures
from wxtuning.server.errors import Refused

TINY = str(tiny.model_folder())
# The tiny model never ends a text that it is not let end.
LONG = Decoding(max_new_tokens=200, min_new_tokens=200)


@pytest.fixture
def answers():
    found = Answers()
    yield found
    found.stop()


def ask(text, adapter=None, **how):
    prompt = render(TEMPLATE, text) if adapter else text
    return Ask(model=TINY, adapter=adapter, prompt=prompt, **{"decoding": Decoding(max_new_tokens=20), **how})


def test_callers_at_once_are_answered_as_each_alone(answers, soft, lora):
    asks = [ask(text, adapter) for adapter in (None, soft, lora) for text in COMMENTS]
    with ThreadPoolExecutor(len(asks)) as callers:
        together = list(callers.map(lambda one: answers.generate([one])[0].text, asks))
    assert together == [text for adapter in (None, soft, lora) for text in models.alone(adapter)]
    assert len(set(together)) > 2


def failing(monkeypatch, cause):
    """Every load from now on fails with an exception of the Hub behind it; the models that were tried."""
    tried = []

    def load(model, **_how):
        tried.append(model)
        failure = EngineError(f"{model} was not found", code="model_not_found", hint="check the name")
        failure.__cause__ = OSError("not loaded")
        failure.__cause__.__cause__ = cause
        raise failure

    monkeypatch.setattr(Generator, "load", load)
    monkeypatch.setattr(engine, "load_tokens", load)
    return tried


@pytest.mark.parametrize(
    ("cause", "status", "said"),
    [
        (LocalEntryNotFoundError("no connection"), 503, "the Hugging Face Hub cannot be reached"),
        (HfHubHTTPError("404", response=Response(404, request=Request("GET", "http://h"))), 400, "was not found"),
    ],
)
def test_what_the_hub_does_not_give_is_asked_for_once_and_told_at_once_then(answers, monkeypatch, cause, status, said):
    tried = failing(monkeypatch, cause)
    for _ in range(3):
        with pytest.raises(Refused, match=said) as refused:
            answers.generate([Ask(model="org/name", prompt="x", decoding=LONG)])
        assert refused.value.status == status
        with pytest.raises(Refused, match=said):
            answers.count_tokens("org/name", ["x"])
    assert tried == ["org/name"]


def test_the_hub_is_asked_again_after_a_minute():
    now = [0.0]
    failures = Failures(clock=lambda: now[0])
    lost = EngineError("was not found", code="model_not_found")
    lost.__cause__ = LocalEntryNotFoundError("no connection")
    with pytest.raises(EngineError, match="cannot be reached"), failures.remembered("org/name"):
        raise lost
    now[0] = 59.0
    with pytest.raises(EngineError, match="cannot be reached"), failures.remembered("org/name"):
        pytest.fail("the hub is asked again")
    now[0] = 60.0
    with failures.remembered("org/name"):
        pass


def test_a_folder_that_does_not_load_may_be_mended_at_once(answers, tmp_path):
    for _ in range(2):
        with pytest.raises(Refused, match=r"no config\.json"):
            answers.generate([Ask(model=str(tmp_path), prompt="x", decoding=LONG)])
    tmp_path.rmdir()
    tmp_path.symlink_to(TINY)
    assert answers.generate([Ask(model=str(tmp_path), prompt="x", decoding=Decoding(max_new_tokens=2))])


def test_what_waits_is_answered_together(answers, soft, monkeypatch):
    steps = counted(monkeypatch)
    answers.generate([ask("One.", decoding=LONG)])
    for_one = len(steps)
    steps.clear()
    answers.generate([ask(text, adapter, decoding=LONG) for text in COMMENTS for adapter in (None, soft)])
    assert len(steps) <= for_one + 2


def counted(monkeypatch):
    """Every token that a batch makes from now on."""
    steps, step = [], Batch.step

    def counting(batch):
        steps.append(len(batch.rows))
        step(batch)

    monkeypatch.setattr(Batch, "step", counting)
    return steps


def test_a_long_answer_keeps_no_short_one_waiting(answers, soft, lora):
    long = answers.stream(ask("The lamp", decoding=LONG))
    first = next(long)
    for adapter in (None, soft, lora):
        assert answers.generate([ask("It broke.", adapter)])[0].stop_reason == "eos_token"
    rest = list(long)
    assert first.stop_reason == "not_finished" and rest[-1].stop_reason == "max_tokens"
    assert rest[-1].tokens == 200


def test_a_stream_is_the_answer_in_pieces(answers, soft):
    (whole,) = answers.generate([ask(COMMENTS[0], soft)])
    pieces = list(answers.stream(ask(COMMENTS[0], soft)))
    assert "".join(piece.text for piece in pieces) == whole.text
    assert pieces[-1].stop_reason == whole.stop_reason and pieces[-1].tokens == whole.tokens
    assert {piece.stop_reason for piece in pieces[:-1]} <= {"not_finished"}


def test_an_answer_ends_in_its_time_with_what_there_is(answers):
    answers.generate([ask("Warm.")])
    (late,) = answers.generate([ask("The lamp", decoding=LONG, seconds=0.02)])
    assert late.stop_reason == "time_limit" and late.tokens < 200
    assert answers.generate([ask("The lamp", decoding=LONG)])[0].tokens == 200


def test_an_answer_that_nobody_waits_for_is_dropped(answers, monkeypatch):
    answers.generate([ask("Warm.")])
    steps, left = counted(monkeypatch), threading.Event()
    stream = answers.stream(ask("The lamp", decoding=LONG, gone=left.is_set))
    next(stream)
    left.set()
    wait_until_quiet(steps)
    assert len(steps) < 190


def test_closing_a_stream_drops_the_answer(answers, monkeypatch):
    answers.generate([ask("Warm.")])
    steps = counted(monkeypatch)
    stream = answers.stream(ask("The lamp", decoding=LONG))
    next(stream)
    stream.close()
    wait_until_quiet(steps)
    assert len(steps) < 190


def wait_until_quiet(steps):
    before = -1
    while before != len(steps):
        before = len(steps)
        time.sleep(0.2)


def test_a_prompt_that_is_too_long_is_refused_before_anything_streams(answers):
    with pytest.raises(Refused, match="positions") as caught:
        answers.stream(ask("word " * 2000))
    assert caught.value.status == 400 and caught.value.code == "invalid_input_argument"


def test_an_answer_that_reaches_the_last_position_says_so(answers):
    room = 512
    text = "lamp " * (room - 8)
    (found,) = answers.generate([ask(text, decoding=LONG)])
    assert found.stop_reason == "token_limit" and found.tokens < 200


def test_a_model_that_is_not_there_is_refused(answers):
    with pytest.raises(Refused, match="no model folder") as caught:
        answers.generate([Ask(model="/nowhere/at/all", prompt="x", decoding=LONG)])
    assert caught.value.code == "model_not_supported"


def test_the_least_recently_used_base_goes_when_memory_is_short(tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(TINY, other)
    answers = Answers(memory_bytes=1)
    try:
        for model in (TINY, str(other), TINY):
            answers.generate([Ask(model=model, prompt="x", decoding=Decoding(max_new_tokens=2))])
            assert answers.loaded == (model,)
    finally:
        answers.stop()


def test_what_is_being_answered_is_finished_when_the_server_ends():
    answers = Answers()
    stream = answers.stream(ask("The lamp", decoding=LONG))
    next(stream)
    answers.stop()
    assert list(stream)[-1].tokens == 200
    with pytest.raises(Refused) as caught:
        answers.generate([ask("The lamp")])
    assert caught.value.status == 503


def test_a_fault_ends_the_answers_in_the_batch_and_no_others(answers, soft, monkeypatch):
    def failing(batch):
        raise RuntimeError("the machine hiccups")

    with monkeypatch.context() as patched:
        patched.setattr(Batch, "step", failing)
        with pytest.raises(Refused, match="hiccups") as caught:
            answers.generate([ask("The lamp", decoding=LONG)])
    assert caught.value.status == 500
    assert answers.generate([ask(COMMENTS[0], soft)])[0].text == models.alone(soft)[0]


def test_a_fault_outside_a_batch_keeps_nobody_waiting(answers, monkeypatch):
    def failing(batch, requests, ids):
        raise RuntimeError("no place")

    answers.generate([ask("Warm.")])
    long = answers.stream(ask("The lamp", decoding=LONG))
    next(long)
    with monkeypatch.context() as patched:
        patched.setattr(Batch, "takes", failing)
        with pytest.raises(Refused, match="no place"):
            answers.generate([ask("It broke.")])
    with pytest.raises(Refused, match="no place"):
        list(long)
    assert answers.generate([ask("Again.")])[0].tokens > 0


def test_tokens_are_counted_without_torch():
    code = (
        "import sys; from wxtuning import tiny; from wxtuning.server.answering.answers import Answers;"
        "count = Answers().count_tokens(str(tiny.model_folder()), ['The lamp is great']);"
        "print(count, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["[4]", "False"]
