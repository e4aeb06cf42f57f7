"""The same deployments in OpenAI's form, asked by the real openai client."""

from __future__ import annotations

import itertools
import json

import openai
import pytest

from tests.server import models
from tests.server.models import COMMENTS, deployed, put

NUMBERS = itertools.count(1)
BASE = "wxtuning/tiny"


@pytest.fixture
def client(cpd):
    http = openai.DefaultHttpxClient(verify=cpd.tls)
    with openai.OpenAI(
        base_url=f"{cpd.url}/v1", api_key=cpd.ready["api_key"], http_client=http, max_retries=0
    ) as found:
        yield found


@pytest.fixture(scope="module")
def model(cpd, soft):
    name = f"open_{next(NUMBERS)}"
    deployed(cpd, put(cpd, soft), online={"parameters": {"serving_name": name}})
    return name


def test_deployments_and_base_models_are_listed(cpd, client, model, soft):
    unnamed = deployed(cpd, put(cpd, soft))["metadata"]["id"]
    names = {found.id for found in client.models.list()}
    assert {model, unnamed, BASE} <= names
    assert client.models.retrieve(model).id == model
    assert client.models.retrieve(BASE).id == BASE


def test_a_call_that_is_not_offered_is_refused_as_such_and_logged(cpd, client):
    with pytest.raises(openai.NotFoundError, match="not offered by this server: POST /v1/embeddings"):
        client.embeddings.create(model=BASE, input="x")
    assert "not offered: POST /v1/embeddings" in cpd.said("not offered: POST /v1/embeddings")


def test_a_completion_is_what_the_model_says(client, model, soft):
    found = client.completions.create(model=model, prompt=COMMENTS[0], max_tokens=20)
    (choice,) = found.choices
    assert choice.text == models.alone(soft)[0] and choice.finish_reason == "stop"
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    assert found.object == "text_completion" and found.model == model and found.id.startswith("cmpl-")


def test_several_prompts_are_several_choices(client, model, soft):
    found = client.completions.create(model=model, prompt=COMMENTS, max_tokens=20)
    assert [choice.text for choice in found.choices] == models.alone(soft)
    assert [choice.index for choice in found.choices] == list(range(len(COMMENTS)))


def test_a_deployment_is_found_by_its_id_too(cpd, client, lora):
    identity = deployed(cpd, put(cpd, lora, method="lora"))["metadata"]["id"]
    found = client.completions.create(model=identity, prompt=COMMENTS[1], max_tokens=20)
    assert found.choices[0].text == models.alone(lora)[1]


def test_a_base_model_gets_the_prompt_as_it_is(client):
    found = client.completions.create(model=BASE, prompt=COMMENTS[1], max_tokens=20)
    assert found.choices[0].text == models.alone(None)[1]


def test_a_chat_is_one_input(client, model, soft):
    found = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": COMMENTS[2]}], max_completion_tokens=20
    )
    assert found.choices[0].message.content == models.alone(soft)[2]
    assert found.choices[0].message.role == "assistant" and found.object == "chat.completion"


def test_what_stands_before_the_user_stands_before_the_input(client, model, soft):
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": COMMENTS[2]}]},
    ]
    found = client.chat.completions.create(model=model, messages=messages, max_tokens=20)
    assert found.choices[0].message.content == models.alone(soft, [f"Be short.\n{COMMENTS[2]}"])[0]


def test_a_completion_streams(client, model, soft):
    pieces = list(client.completions.create(model=model, prompt=COMMENTS[0], max_tokens=20, stream=True))
    assert "".join(piece.choices[0].text for piece in pieces) == models.alone(soft)[0]
    assert pieces[-1].choices[0].finish_reason == "stop"
    assert {piece.choices[0].finish_reason for piece in pieces[:-1]} <= {None}


def test_a_chat_streams_with_usage_if_asked(client, model, soft):
    messages = [{"role": "user", "content": COMMENTS[0]}]
    stream = client.chat.completions.create(
        model=model, messages=messages, max_tokens=20, stream=True, stream_options={"include_usage": True}
    )
    first, *pieces, last = list(stream)
    assert first.choices[0].delta.role == "assistant"
    assert "".join(piece.choices[0].delta.content for piece in pieces) == models.alone(soft)[0]
    assert last.choices == [] and last.usage.completion_tokens > 0


def test_a_stop_text_ends_an_answer_before_it(client):
    whole = models.alone(None)[0]
    found = client.completions.create(model=BASE, prompt=COMMENTS[0], max_tokens=20, stop=whole[4:6])
    assert found.choices[0].text == whole[: whole.find(whole[4:6])] and found.choices[0].finish_reason == "stop"


def test_an_answer_that_is_cut_says_length(client):
    found = client.completions.create(model=BASE, prompt=COMMENTS[0], max_tokens=2)
    assert found.choices[0].finish_reason == "length" and found.usage.completion_tokens == 2


def test_draws_repeat_with_their_seed(client):
    warm = {"model": BASE, "prompt": COMMENTS[0], "max_tokens": 15, "temperature": 1.8, "top_p": 0.99}
    first, again, other = (client.completions.create(seed=seed, **warm).choices[0].text for seed in (5, 5, 6))
    assert first == again != other


def test_a_token_of_the_server_lets_a_caller_in_too(cpd):
    with cpd.http() as http:
        assert http.get("/v1/models").status_code == 200


@pytest.mark.parametrize("key", ["wrong", "x" * 44])
def test_a_wrong_key_is_refused_in_openais_shape(cpd, key):
    with cpd.http(token=key) as http:
        answer = http.get("/v1/models")
    assert answer.status_code == 401 and set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.completions.create(model="nobody", prompt="x")
    assert caught.value.code == "model_not_found" and "nobody" in caught.value.message


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": 3}, "logprobs"),
        ({"echo": True}, "echo"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"stop": [""]}, "stop"),
        ({"seed": 1.5}, "seed"),
        ({"prompt": [1, 2, 3]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", "b"], "stream": True}, "prompt"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(client, change, name):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**{"model": BASE, "prompt": "x", **change})
    assert caught.value.param == name and caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("value", [0.5, None])
def test_a_parameter_that_nobody_knows_is_told_with_the_nearest_one(client, value):
    with pytest.raises(openai.BadRequestError, match=r"'temprature' is no parameter.*did you mean temperature\?"):
        client.completions.create(model=BASE, prompt="x", extra_body={"temprature": value})


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "assistant", "content": "x"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        [{"role": "user", "content": None}],
    ],
)
def test_messages_that_are_no_input_are_refused(client, messages):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=BASE, messages=messages)
    assert caught.value.param == "messages"


def test_a_prompt_that_is_too_long_is_refused_before_it_streams(client):
    with pytest.raises(openai.BadRequestError, match="positions"):
        client.completions.create(model=BASE, prompt="word " * 3000, stream=True)


def test_a_stream_ends_as_openai_ends_it(cpd, model):
    with cpd.http(token=cpd.ready["api_key"]) as http:
        body = {"model": model, "prompt": "x", "stream": True, "max_tokens": 2}
        lines = http.post("/v1/completions", json=body).text.strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: "))["object"] == "text_completion" for line in lines[:-1])
