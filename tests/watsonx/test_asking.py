"""Questions to deployments and base models: batches, streams, limits, and what is repeated (section T)."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server import models
from tests.server.models import COMMENTS
from tests.server.processes import Running
from tests.watsonx.faults import Cut, Endless, Held, LostAnswer, Refusal, refusal
from tests.watsonx.tuned import completed
from tests.watsonx.wire import ALWAYS, Answer, Exchange, Wire
from wxtuning.adapters.watsonx.asking import Asking, base
from wxtuning.adapters.watsonx.deployments import Deployments
from wxtuning.adapters.watsonx.faults import CutOff
from wxtuning.adapters.watsonx.service import Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.adapters.watsonx.trainings import Trainings
from wxtuning.errors import AdapterError, DataError, NotOffered, Unavailable
from wxtuning.ports import Decoding
from wxtuning.retry import Patience
from wxtuning.spec import DeploymentSpec, PromptTuning
from wxtuning.status import DeploymentRef

ASK = "POST /ml/v1/deployments/{id}/text/generation"
STREAM = f"{ASK}_stream"
ASK_BASE = "POST /ml/v1/text/generation"
COUNT = "POST /ml/v1/text/tokenization"
SHORT = Decoding(max_new_tokens=20)
TINY = PromptTuning()
BARE = base(TINY, "{{input}}")


@pytest.fixture
def asking(service: Service) -> Asking:
    return Asking(service, {"wxtuning/tiny": 512}.get)


@pytest.fixture
def deployed(server: Running, service: Service, wire: Wire, patience: Patience, soft: Path) -> DeploymentRef:
    settings = Settings(url=wire.url, patience=patience)
    job = completed(server, soft)
    found = Deployments(service, settings, Trainings(service, settings).details)
    ref = found.deploy(job, DeploymentSpec(name="tone"), f"ask-{job.id[:8]}")
    wire.heals()
    return ref


def test_many_inputs_are_answered_in_their_order_up_to_eight_at_once(asking, deployed, wire, soft):
    texts = COMMENTS * 4
    answers = asking.generate(deployed, texts, SHORT)
    assert [answer.text for answer in answers] == models.alone(soft) * 4
    assert wire.asked[ASK] == len(texts)
    assert 1 < len({request.port for request in wire.of(ASK)}) <= 8


def test_an_answer_comes_with_its_counts_and_the_reason_it_ended(asking, deployed):
    (answer,) = asking.generate(deployed, COMMENTS[:1], SHORT)
    assert answer.tokens > 0
    assert answer.input_tokens > 0
    assert answer.stop_reason == "eos_token"


def test_no_input_asks_nobody(asking, deployed, wire):
    assert asking.generate(deployed, [], SHORT) == ()
    assert wire.asked.total() == 0


def test_greedy_and_drawn_answers_are_asked_for_in_the_services_words(asking, deployed, wire):
    asking.generate(deployed, COMMENTS[:1], SHORT)
    asking.generate(
        deployed, COMMENTS[:1], Decoding(max_new_tokens=9, temperature=0.7, top_p=0.9, stop=("\n",), seed=3)
    )
    greedy, drawn = (request.json["parameters"] for request in wire.of(ASK))
    assert greedy == {"decoding_method": "greedy", "max_new_tokens": 20}
    assert drawn == {
        "decoding_method": "sample", "max_new_tokens": 9, "temperature": 0.7, "top_p": 0.9, "random_seed": 3,
        "stop_sequences": ["\n"], "include_stop_sequence": False,
    }  # fmt: skip


def test_the_same_seed_draws_the_same_answer_and_a_stop_text_is_left_out(asking, deployed):
    drawn = Decoding(max_new_tokens=9, temperature=1.5, seed=3)
    assert asking.generate(deployed, COMMENTS[:2], drawn) == asking.generate(deployed, COMMENTS[:2], drawn)
    (whole,) = asking.generate(deployed, COMMENTS[:1], SHORT)
    (ended,) = asking.generate(deployed, COMMENTS[:1], Decoding(max_new_tokens=20, stop=(whole.text[2:4],)))
    assert ended.text == whole.text[:2]


def test_a_base_model_gets_the_rendered_prompt(asking, server, wire):
    (answer,) = asking.generate(base(TINY, "Input: {{input}} Output:"), ["A lamp."], SHORT)
    (request,) = wire.of(ASK_BASE)
    assert request.json["input"] == "Input: A lamp. Output:"
    assert request.json["project_id"] == server.project
    assert answer.text == models.alone(None, ["Input: A lamp. Output:"])[0]


def test_a_bare_input_is_all_that_a_deployment_gets(asking, deployed, wire):
    asking.generate(deployed, ["A lamp."], SHORT)
    (request,) = wire.of(ASK)
    assert request.json["input"] == "A lamp."
    assert "project_id" not in {**request.query, **request.json}


def test_something_else_is_no_deployment(asking):
    with pytest.raises(NotOffered, match="is no deployment of watsonx"):
        asking.generate(DeploymentRef("watsonx", "job/1"), ["A lamp."], SHORT)


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [Refusal(429), Refusal(429, headers={"Retry-After": "2"}), Refusal(503), LostAnswer(), Cut()],
    ids=["429", "429 with a pause", "503", "reset", "cut"],
)
def test_a_question_is_asked_again_for_it_changes_nothing(asking, deployed, wire, soft, act):
    wire.breaks(ASK, act, times=2)
    answers = asking.generate(deployed, COMMENTS[:3], SHORT)
    assert [answer.text for answer in answers] == models.alone(soft, COMMENTS[:3])
    assert wire.asked[ASK] == 5


def answered(answer: object) -> Callable[[Exchange], None]:
    """The server is not asked; the client is answered this."""

    def act(exchange: Exchange) -> None:
        exchange.answered(Answer(status=200, body=json.dumps(answer).encode()))

    return act


def echo(exchange: Exchange) -> None:
    text = exchange.request.json["input"]
    answered({"results": [{"generated_text": text, "generated_token_count": 1, "input_token_count": 1}]})(exchange)


def test_of_many_questions_that_are_refused_for_now_none_is_lost_or_out_of_order(asking, wire):
    texts, seen = [f"lamp {number}" for number in range(200)], Counter()

    def is_new(request):
        seen[request.json["input"]] += 1
        return seen[request.json["input"]] <= 2

    wire.breaks(ASK_BASE, Refusal(429, headers={"Retry-After": "1"}), times=ALWAYS, where=is_new)
    wire.breaks(ASK_BASE, echo, times=ALWAYS)
    assert [answer.text for answer in asking.generate(BARE, texts, SHORT)] == texts
    assert set(seen.values()) == {3}


def test_a_question_that_fails_is_told_at_once_while_others_hang_with_its_number(asking, wire, held):
    wire.breaks(
        ASK_BASE, Refusal(400, refusal(400, message="no lamps")), where=lambda asked: "bad" in asked.json["input"]
    )
    wire.breaks(ASK_BASE, held, times=ALWAYS)
    with pytest.raises(AdapterError, match=r"^input 3 of 40: .* no lamps"):
        asking.generate(BARE, ["good", "good", "bad", *["good"] * 37], SHORT)
    assert held.ended == 0
    assert wire.asked[ASK_BASE] <= 8


def test_the_number_of_an_only_input_is_not_told(asking, wire):
    wire.breaks(ASK_BASE, Refusal(400))
    with pytest.raises(AdapterError) as caught:
        asking.generate(BARE, ["bad"], SHORT)
    assert "input 1" not in str(caught.value)


def press_ctrl_c() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


@pytest.mark.parametrize("operation", [ASK_BASE, COUNT], ids=["asked", "counted"])
def test_ctrl_c_leaves_questions_that_hang(asking, wire, operation, held):
    wire.breaks(operation, Held(press_ctrl_c, held.free), first=3)
    wire.breaks(operation, held, times=ALWAYS)
    with pytest.raises(KeyboardInterrupt):
        asking.generate(BARE, ["lamp " * 110] * 40, SHORT)
    assert held.ended == 0
    assert wire.asked[operation] <= 8


@pytest.mark.parametrize(
    "answer", [{}, {"system": {}}, *({"results": found} for found in ([], [{}], [{"generated_text": None}]))]
)
def test_what_holds_no_text_is_no_answer(asking, wire, answer):
    wire.breaks(ASK_BASE, answered(answer), times=ALWAYS)
    with pytest.raises(Unavailable, match="without a generated text"):
        asking.generate(BARE, ["A lamp."], SHORT)


@pytest.mark.parametrize("reason", ["cancelled", "ERROR", "not_finished"])
def test_an_answer_that_the_service_broke_off_is_none(asking, wire, reason):
    wire.breaks(ASK_BASE, answered({"results": [{"generated_text": "un", "stop_reason": reason}]}))
    with pytest.raises(Unavailable, match=rf"broke off its answer after 2 characters \({reason}\)"):
        asking.generate(BARE, ["A lamp."], SHORT)


def test_counts_and_a_reason_that_are_not_told_stay_open(asking, wire):
    untold = {"generated_token_count": None, "input_token_count": "many", "stop_reason": None}
    wire.breaks(ASK_BASE, answered({"results": [{"generated_text": "", **untold}]}))
    (found,) = asking.generate(BARE, ["A lamp."], SHORT)
    assert (found.text, found.tokens, found.input_tokens, found.stop_reason) == ("", 0, 0, "")


def test_an_outage_ends_and_is_not_asked_for_ever(asking, deployed, wire):
    wire.breaks(ASK, Refusal(503), times=ALWAYS)
    with pytest.raises(Unavailable):
        asking.generate(deployed, COMMENTS[:1], SHORT)
    assert wire.asked[ASK] <= 30


def test_a_refused_parameter_is_named_and_not_asked_again(asking, deployed, wire):
    with pytest.raises(AdapterError, match="temperature"):
        asking.generate(deployed, COMMENTS[:1], Decoding(max_new_tokens=5, temperature=99))
    assert wire.asked[ASK] == 1


def test_a_prompt_longer_than_the_model_takes_is_not_sent(asking, deployed, wire):
    with pytest.raises(DataError, match=r"input 2 has 80\d tokens.*512 that wxtuning/tiny takes"):
        asking.generate(deployed, ["A lamp.", "lamp " * 800], SHORT)
    assert wire.asked[ASK] == 0


def test_a_long_answer_counts_too(asking, deployed, wire):
    with pytest.raises(DataError, match="up to 500 of the answer"):
        asking.generate(deployed, ["lamp " * 100], Decoding(max_new_tokens=500))
    assert wire.asked[ASK] == 0


def test_only_prompts_that_may_not_fit_are_counted(asking, deployed, wire):
    asking.generate(deployed, ["A lamp.", "lamp " * 110], SHORT)
    assert wire.asked[COUNT] == 1


def test_the_template_counts_for_a_base_model(asking, wire):
    with pytest.raises(DataError, match=r"input 1 has .* tokens"):
        asking.generate(base(TINY, "lamp " * 800 + "{{input}}"), ["A lamp."], SHORT)
    assert wire.asked[ASK_BASE] == 0


def test_the_template_of_a_deployment_counts_once_it_is_known(asking, deployed, wire):
    nearly = "lamp " * 97
    asking.generate(deployed, [nearly], SHORT)
    assert wire.asked[COUNT] == 0
    asking.generate(deployed, [nearly, "lamp " * 110], SHORT)
    assert wire.asked[COUNT] == 2
    wire.heals()
    asking.generate(deployed, [nearly], SHORT)
    assert wire.asked[COUNT] == 1


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"result": {}}, {"result": {"token_count": None}}])
def test_a_count_that_is_not_told_is_not_none(asking, wire, answer):
    wire.breaks(COUNT, answered(answer), times=ALWAYS)
    with pytest.raises(Unavailable, match="counted no tokens"):
        asking.generate(BARE, ["lamp " * 800], SHORT)
    assert wire.asked[ASK_BASE] == 0


def test_half_a_character_is_refused_before_sending(asking, deployed, wire):
    with pytest.raises(DataError, match="half a character"):
        asking.generate(deployed, ["\ud83d"], SHORT)
    assert wire.asked[ASK] == 0


def test_an_answer_without_end_is_not_read_to_its_end(asking, deployed, wire):
    wire.breaks(ASK, Endless(), times=ALWAYS)
    with pytest.raises(AdapterError):
        asking.generate(deployed, COMMENTS[:1], SHORT)


# --- streams ----------------------------------------------------------------------------------------------------------


def test_the_pieces_of_a_stream_are_the_answer(asking, deployed, soft):
    pieces = list(asking.stream(deployed, COMMENTS[0], SHORT))
    assert "".join(pieces) == models.alone(soft, COMMENTS[:1])[0]


def test_a_base_model_streams_too(asking, service):
    whole = asking.generate(base(TINY, "{{input}}"), ["The lamp"], SHORT)[0].text
    assert "".join(asking.stream(base(TINY, "{{input}}"), "The lamp", SHORT)) == whole


def events(*pieces: tuple[str, str]) -> bytes:
    rows = (
        f'id: {n}\nevent: message\ndata: {{"results": [{{"generated_text": "{text}", "stop_reason": "{reason}"}}]}}\n\n'
        for n, (text, reason) in enumerate(pieces)
    )
    return "".join(rows).encode()


class CutStream:
    """Two pieces, then the connection is over: as if it broke, or as if all had been said."""

    def __init__(self, *, cleanly: bool) -> None:
        self.cleanly = cleanly

    def __call__(self, exchange: Exchange) -> None:
        body = events(("", "not_finished"), ("un", "not_finished"), ("satis", "not_finished"))
        kind = (("Content-Type", "text/event-stream"),)
        content = body if self.cleanly else body + b" " * 100
        exchange.answered(Answer(status=200, headers=kind, body=content), cut_after=len(body))


@pytest.mark.parametrize("cleanly", [True, False], ids=["ended early", "broken"])
def test_a_stream_that_is_cut_says_what_came_of_it(asking, deployed, wire, cleanly):
    wire.breaks(STREAM, CutStream(cleanly=cleanly))
    came = []
    with pytest.raises(CutOff) as caught:
        came.extend(asking.stream(deployed, COMMENTS[0], SHORT))
    assert came == ["un", "satis"]
    assert caught.value.came == "unsatis"
    assert wire.asked[STREAM] == 1


def spoken(*texts: bytes) -> Callable[[Exchange], None]:
    """The server is not asked; the client is told these events."""

    def act(exchange: Exchange) -> None:
        body = b"".join(b"data: " + text + b"\n\n" for text in texts)
        exchange.answered(Answer(status=200, headers=(("Content-Type", "text/event-stream"),), body=body))

    return act


WHOLE = b'{"results": [{"generated_text": "un", "stop_reason": "eos_token"}]}'


@pytest.mark.parametrize(
    "last", [b'{"system": {"warnings": []}}', b'{"results": []}', b'{"results": [{"stop_reason": null}]}']
)
def test_what_a_stream_says_after_its_answer_does_not_make_it_a_part(asking, deployed, wire, last):
    wire.breaks(STREAM, spoken(WHOLE, last))
    assert list(asking.stream(deployed, COMMENTS[0], SHORT)) == ["un"]


@pytest.mark.parametrize("reason", [b"null", b'""', b'"CANCELLED"', b'"error"', b'"NOT_FINISHED"'])
def test_a_stream_that_ends_for_no_good_reason_is_cut(asking, deployed, wire, reason):
    wire.breaks(STREAM, spoken(b'{"results": [{"generated_text": "un", "stop_reason": %s}]}' % reason))
    with pytest.raises(CutOff) as caught:
        list(asking.stream(deployed, COMMENTS[0], SHORT))
    assert caught.value.came == "un"


@pytest.mark.parametrize(
    "last", [b"[" * 200_000, b'{"errors": "x"}\nevent: error', b'{"status_code": "x"}\nevent: error']
)
def test_an_event_that_is_none_cuts_a_stream(asking, deployed, wire, last):
    wire.breaks(STREAM, spoken(WHOLE.replace(b"eos_token", b"not_finished"), last))
    with pytest.raises(CutOff) as caught:
        list(asking.stream(deployed, COMMENTS[0], SHORT))
    assert caught.value.came == "un"


def test_a_stream_that_did_not_begin_is_asked_for_again(asking, deployed, wire, soft):
    wire.breaks(STREAM, Refusal(503), times=2)
    assert "".join(asking.stream(deployed, COMMENTS[0], SHORT)) == models.alone(soft, COMMENTS[:1])[0]
    assert wire.asked[STREAM] == 3


def test_an_error_in_the_middle_of_a_stream_is_raised(asking, deployed, wire):
    body = events(("un", "not_finished")) + b"id: 2\nevent: error\ndata: " + refusal(500, "x", "GPU lost") + b"\n\n"

    def act(exchange: Exchange) -> None:
        exchange.answered(Answer(status=200, headers=(("Content-Type", "text/event-stream"),), body=body))

    wire.breaks(STREAM, act)
    with pytest.raises(AdapterError, match="GPU lost"):
        list(asking.stream(deployed, COMMENTS[0], SHORT))


def test_a_deployment_that_was_removed_is_explained(asking, deployed, service):
    service.delete(f"/ml/v4/deployments/{deployed.id.rpartition('/')[2]}")
    for ask in (
        lambda: asking.generate(deployed, COMMENTS[:1], SHORT),
        lambda: list(asking.stream(deployed, "a", SHORT)),
        lambda: asking.generate(deployed, ["lamp " * 800], SHORT),
    ):
        with pytest.raises(AdapterError) as caught:
            ask()
        assert "Run the experiment again" in caught.value.hint


def test_a_base_model_that_is_gone_is_explained(asking):
    with pytest.raises(AdapterError, match="no/such-model") as caught:
        asking.generate(base(PromptTuning("no/such-model"), "{{input}}"), ["A lamp."], SHORT)
    assert "wxtuning.models(backend)" in caught.value.hint


def test_what_a_service_says_does_not_reach_the_terminal_as_it_is(asking, wire):
    wire.breaks(ASK_BASE, Refusal(400, refusal(400, message="\x1b[2Jno lamps")))
    with pytest.raises(AdapterError, match=r"\\x1b\[2Jno lamps"):
        asking.generate(BARE, ["A lamp."], SHORT)
