"""Generation, streams and tokenization in watsonx's form: parameters, counts, reasons, events and refusals."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server import models
from tests.server import sdk_deploying as use
from tests.server.models import COMMENTS, deployed, put
from wxtuning import tiny
from wxtuning.engine import load_tokens

VERSION = {"version": "2026-01-01"}
BASE = tiny.MODEL_ID


@pytest.fixture(scope="module")
def deployment(cpd, soft):
    return deployed(cpd, put(cpd, soft))["metadata"]["id"]


def generated(running, text=COMMENTS[0], *, deployment=None, stream=False, **parameters):
    body = {"input": text, "parameters": parameters}
    if deployment is None:
        body |= {"model_id": BASE, "project_id": running.project}
    return posted(running, body, deployment=deployment, stream=stream)


def posted(running, body, *, deployment=None, stream=False):
    root = f"/ml/v1/deployments/{deployment}/text" if deployment else "/ml/v1/text"
    with running.http() as http:
        return http.post(f"{root}/generation{'_stream' if stream else ''}", params=VERSION, json=body)


def result(answer):
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["results"]
    return found


def text_of(running, text=COMMENTS[0], **parameters):
    return result(generated(running, text, **parameters))["generated_text"]


def events(answer):
    """Each event of a stream as (id, event, data)."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in answer.text.strip().split("\n\n")]
    return [(int(block["id"]), block["event"], json.loads(block["data"])) for block in blocks]


def test_an_answer_has_the_fields_of_the_service(cpd, deployment, soft):
    answer = generated(cpd, deployment=deployment)
    found = result(answer)
    assert answer.json()["model_id"] == BASE and answer.json()["created_at"].endswith("Z")
    assert answer.json()["system"] == {"warnings": []}
    assert found["generated_text"] == models.alone(soft)[0] and found["stop_reason"] == "eos_token"
    prompt = f"Input: {COMMENTS[0]} Output:"
    assert found["input_token_count"] == len(load_tokens(str(tiny.model_folder())).prompts([prompt])[0])


def test_a_base_model_reads_the_input_as_it_is(cpd):
    assert text_of(cpd, max_new_tokens=20) == models.alone(None)[0]


def test_many_callers_get_what_each_would_get_alone(cpd, soft, lora):
    kinds = [(soft, deployed(cpd, put(cpd, soft))), (lora, deployed(cpd, put(cpd, lora, method="lora")))]
    asked = [(found["metadata"]["id"], text) for _, found in kinds for text in COMMENTS]
    with ThreadPoolExecutor(len(asked)) as callers:
        answers = list(callers.map(lambda one: text_of(cpd, one[1], deployment=one[0]), asked))
    assert answers == [text for adapter, _ in kinds for text in models.alone(adapter)]


def test_no_parameters_mean_twenty_greedy_tokens(cpd):
    found = result(posted(cpd, {"model_id": BASE, "input": "The", "project_id": cpd.project}))
    assert found["generated_text"] == models.alone(None, ["The"])[0] and found["generated_token_count"] <= 20
    assert "seed" not in found


def test_the_longest_answer_is_as_asked(cpd):
    found = result(generated(cpd, max_new_tokens=3))
    assert found["generated_token_count"] == 3 and found["stop_reason"] == "max_tokens"


def test_the_shortest_answer_is_as_asked(cpd, deployment):
    assert result(generated(cpd, deployment=deployment))["generated_token_count"] < 15
    found = result(generated(cpd, deployment=deployment, min_new_tokens=15, max_new_tokens=25))
    assert 15 <= found["generated_token_count"] <= 25


@pytest.mark.parametrize("with_stop", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_a_stop_sequence_ends_the_answer_and_is_part_of_it_unless_refused(cpd, with_stop, stream):
    whole = text_of(cpd, max_new_tokens=20)
    stop = whole[4:6]
    asked = {"stop_sequences": [stop], "max_new_tokens": 20, "include_stop_sequence": with_stop}
    answer = generated(cpd, stream=stream, **asked)
    found = [data["results"][0] for _, _, data in events(answer)] if stream else [result(answer)]
    expected = whole[: whole.find(stop)] + (stop if with_stop else "")
    assert "".join(one["generated_text"] for one in found) == expected
    assert found[-1]["stop_reason"] == "stop_sequence"


def test_samples_repeat_with_their_seed(cpd):
    warm = {"decoding_method": "sample", "temperature": 1.8, "max_new_tokens": 15}
    first, again, other = (result(generated(cpd, random_seed=seed, **warm)) for seed in (5, 5, 6))
    assert first["generated_text"] == again["generated_text"] != other["generated_text"]
    assert first["seed"] == 5


def test_a_sample_without_a_seed_says_which_it_took(cpd):
    warm = {"decoding_method": "sample", "temperature": 1.8, "max_new_tokens": 15}
    found = result(generated(cpd, **warm))
    assert text_of(cpd, random_seed=found["seed"], **warm) == found["generated_text"]


def test_the_likeliest_token_alone_is_greedy(cpd):
    greedy = text_of(cpd, max_new_tokens=12)
    for narrow in ({"top_k": 1}, {"top_p": 1e-9}, {"temperature": 0.0}):
        asked = {"decoding_method": "sample", "temperature": 1.0, "max_new_tokens": 12, **narrow}
        assert text_of(cpd, **asked) == greedy


def test_a_penalty_on_repetition_changes_what_repeats(cpd):
    text = "lamp lamp lamp lamp"
    assert text_of(cpd, text, max_new_tokens=20, repetition_penalty=2.0) != text_of(cpd, text, max_new_tokens=20)


def test_what_has_no_effect_is_told(cpd):
    answer = generated(cpd, temperature=0.5)
    (warning,) = answer.json()["system"]["warnings"]
    assert "temperature has no effect" in warning["message"]


def test_only_the_last_tokens_are_read_if_asked(cpd):
    found = result(generated(cpd, "a b c d e f lamp is", truncate_input_tokens=2, max_new_tokens=8))
    assert found["input_token_count"] == 2
    assert found["generated_text"] == text_of(cpd, " lamp is", max_new_tokens=8)


def test_an_answer_ends_with_its_time(cpd):
    result(generated(cpd))
    found = result(generated(cpd, time_limit=15, min_new_tokens=400, max_new_tokens=400))
    assert found["stop_reason"] == "time_limit" and found["generated_token_count"] < 400


def test_the_input_and_the_tokens_come_back_if_asked(cpd, deployment):
    plain = result(generated(cpd, deployment=deployment))
    wanted = {"input_text": True, "generated_tokens": True, "input_tokens": True, "token_ranks": False}
    found = result(generated(cpd, deployment=deployment, return_options=wanted))
    assert found["generated_text"] == COMMENTS[0] + plain["generated_text"]
    assert len(found["generated_tokens"]) == found["generated_token_count"]
    joined = "".join(token["text"] for token in found["generated_tokens"]).strip()
    assert joined.startswith(plain["generated_text"])
    assert "".join(token["text"] for token in found["input_tokens"]).strip() == f"Input: {COMMENTS[0]} Output:"


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": "20"}, "max_new_tokens"),
        ({"max_new_tokens": True}, "max_new_tokens"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "min_new_tokens"),
        ({"decoding_method": "beam"}, "decoding_method"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": 0}, "top_k"),
        ({"random_seed": -1}, "random_seed"),
        ({"repetition_penalty": 0.5}, "repetition_penalty"),
        ({"stop_sequences": "no list"}, "stop_sequences"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"stop_sequences": list("abcdefg")}, "stop_sequences"),
        ({"truncate_input_tokens": -1}, "truncate_input_tokens"),
        ({"time_limit": 0}, "time_limit"),
        ({"include_stop_sequence": "yes"}, "include_stop_sequence"),
        ({"length_penalty": {"decay_factor": 2}}, "length_penalty"),
        ({"prompt_variables": {"a": "b"}}, "prompt_variables"),
        ({"return_options": {"token_logprobs": True}}, "token_logprobs"),
        ({"return_options": True}, "return_options"),
        ({"max_new_token": 20}, "max_new_token"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_parameter_that_cannot_be_is_named_and_refused(cpd, parameters, name, stream):
    answer = generated(cpd, stream=stream, **parameters)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert name in error["target"]["name"] and name in error["message"]


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"input": None}, 400, "input"),
        ({"input": ["a", "b"]}, 400, "input"),
        ({"model_id": "no/model"}, 404, "model_not_supported"),
        ({"model_id": 3}, 400, "model_id"),
        ({"parameters": [1]}, 400, "parameters"),
        ({"project_id": "none"}, 404, "none"),
        ({"moderations": {"hap": {"input": {"enabled": True}}}}, 404, "with moderations"),
        ({"crypto": {"key_ref": "x"}}, 404, "with crypto"),
        ({"max_new_tokens": 1}, 400, "'max_new_tokens' is no field of POST /ml/v1/text/generation"),
        ({"moderation": {}}, 400, "did you mean moderations?"),
        ({"input": "word " * 3000}, 400, "positions"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_request_that_cannot_be_is_refused(cpd, change, status, word, stream):
    body = {"model_id": BASE, "input": "x", "project_id": cpd.project, **change}
    answer = posted(cpd, body, stream=stream)
    assert answer.status_code == status and word in answer.text


@pytest.mark.parametrize("stream", [True, False])
def test_a_field_that_a_deployments_call_does_not_have_is_refused(cpd, deployment, stream):
    answer = posted(cpd, {"input": "x", "project_id": cpd.project}, deployment=deployment, stream=stream)
    verb = "generation_stream" if stream else "generation"
    assert answer.status_code == 400
    assert f"'project_id' is no field of POST /ml/v1/deployments/{{id}}/text/{verb}" in answer.text


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"max_new_token": 20}, "did you mean max_new_tokens?"),
        ({"return_options": {"input_tekst": True}}, "did you mean input_text?"),
        ({"return_options": {"input_tekst": False}}, "'parameters.return_options.input_tekst' is no parameter"),
    ],
)
def test_an_unknown_parameter_is_told_with_the_nearest_one(cpd, parameters, told):
    answer = generated(cpd, **parameters)
    assert answer.status_code == 400 and told in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"foo": 1}, 400, "'foo' is no field of POST /ml/v1/text/tokenization"),
        ({"crypto": {"key_ref": "x"}}, 404, "POST /ml/v1/text/tokenization with crypto"),
        ({"parameters": {"return_token": True}}, 400, "did you mean return_tokens?"),
        ({"parameters": {"return_tokens": 1}}, 400, "parameters.return_tokens is 1; expected true or false"),
        ({"parameters": [1]}, 400, "parameters is [1]; expected an object"),
    ],
)
def test_what_a_tokenization_does_not_have_is_refused(cpd, change, status, told):
    body = {"model_id": BASE, "input": "x", "project_id": cpd.project, **change}
    with cpd.http() as http:
        answer = http.post("/ml/v1/text/tokenization", params=VERSION, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["message"].count(told)) == (status, 1)


def test_a_stream_begins_with_an_empty_piece_and_counts_its_events(cpd, deployment, soft):
    found = events(generated(cpd, deployment=deployment, stream=True, temperature=0.5))
    assert [number for number, _, _ in found] == list(range(len(found)))
    assert {kind for _, kind, _ in found} == {"message"}
    first, *rest = [data for _, _, data in found]
    assert first["results"][0]["generated_text"] == "" and first["results"][0]["input_token_count"] > 0
    assert "temperature" in first["system"]["warnings"][0]["message"]
    assert "".join(data["results"][0]["generated_text"] for data in rest) == models.alone(soft)[0]
    assert [data["results"][0]["stop_reason"] for data in rest[:-1]] == ["not_finished"] * (len(rest) - 1)


def test_who_leaves_a_stream_leaves_the_server_free(cpd):
    body = {"model_id": BASE, "input": "x", "project_id": cpd.project}
    body["parameters"] = {"min_new_tokens": 480, "max_new_tokens": 480}
    with cpd.http() as http, http.stream("POST", "/ml/v1/text/generation_stream", params=VERSION, json=body) as stream:
        next(stream.iter_lines())
    assert text_of(cpd, max_new_tokens=20) == models.alone(None)[0]


def test_the_sdk_asks_a_base_model_and_counts_its_tokens(server, sdk):
    found = sdk(use.base_model, BASE, COMMENTS[0])
    assert found["text"] == found["stream"] == models.alone(None)[0]
    expected = load_tokens(str(tiny.model_folder())).prompts([COMMENTS[0]])[0]
    assert found["count"]["result"] == {"token_count": len(expected)}
    assert found["tokens"]["result"]["token_count"] == len(found["tokens"]["result"]["tokens"]) == len(expected)
    assert "".join(found["tokens"]["result"]["tokens"]) == COMMENTS[0]


def test_the_sdk_names_the_models_that_are_here_to_who_asks_another(server, sdk):
    said = sdk(use.unknown_base_model, "google/flan-t5-xl")
    assert "Model 'google/flan-t5-xl' is not supported for this environment." in said
    assert f"Supported models: ['{BASE}']" in said


def test_the_sdk_tells_why_a_stream_was_refused(cpd, cpd_sdk):
    assert "no-such-deployment" in cpd_sdk(use.refused_stream, "no-such-deployment", "x")


def test_small_answers_on_a_kept_connection_come_at_once(cpd):
    seconds = []
    with cpd.http() as http:
        for _ in range(40):
            began = time.perf_counter()
            assert http.get("/ml/wml_services/v2/version").status_code == 200
            seconds.append(time.perf_counter() - began)
    # A socket that holds small packets back makes each of them wait 40 ms for the last one's acknowledgement.
    assert sorted(seconds)[10] < 0.03
