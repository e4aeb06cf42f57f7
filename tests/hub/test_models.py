"""What the Hub and this machine tell of a model, asked with the real library at a server that speaks its protocol."""

from __future__ import annotations

import pytest

import wxtuning as wx
from tests.hub import client
from tests.hub.files import jsonl, pairs
from tests.hub.server import Fault

FILES = {"config.json": b"{}", "model.safetensors": b"weights", "onnx/model.onnx": b""}


@pytest.fixture
def model(publish):
    return publish(FILES, kind="model")


def test_the_files_of_a_model_are_told_and_none_is_fetched(model, ask, hub):
    assert ask(client.files_of, model) == set(FILES)
    assert ask(client.copied, model) is None
    assert hub.sent_of(model) == 0


def test_what_was_fetched_is_found_without_the_hub(model, ask, ask_offline, ask_cut_off, hub):
    ask(client.download, model, "config.json", "model")
    hub.forget()
    for elsewhere in (ask_offline, ask_cut_off, ask):
        assert elsewhere(client.copied, model) == {"config.json"}
    assert hub.requests == []


@pytest.mark.parametrize("name", ["owner/no-such-model", "owner/a-data-set"])
def test_an_id_that_no_model_has_is_told_with_what_to_do(publish, ask, name):
    publish({"train.jsonl": jsonl(pairs(2))}, name="owner/a-data-set")
    with pytest.raises(wx.NotOffered, match=rf"the Hub has no model '{name}'\n  Check the id; if it is private"):
        ask(client.files_of, name)


def test_a_private_model_is_told_to_whoever_may_see_it(publish, ask):
    name = publish(FILES, kind="model", token="hf_right")
    assert ask(client.files_of, name, token="hf_right") == set(FILES)
    with pytest.raises(wx.NotOffered):
        ask(client.files_of, name)


def test_a_model_that_its_owner_has_not_let_one_read_says_where_to_ask(publish, ask):
    name = publish(FILES, kind="model", gated=True)
    with pytest.raises(
        wx.NotAuthorized, match=r"only for people whom its owner has let in\n.*Ask for access on its page"
    ):
        ask(client.files_of, name)


def test_a_hub_in_trouble_and_one_that_cannot_be_asked_are_unavailable(model, ask, ask_offline, ask_cut_off, hub):
    hub.faults = [Fault("GET", model, status=503, times=9)]
    with pytest.raises(wx.Unavailable, match="HTTP 503"):
        ask(client.files_of, model)
    hub.faults = [Fault("GET", model, status=200)]  # what a portal of a hotel answers
    with pytest.raises(wx.Unavailable, match="cannot be reached"):
        ask(client.files_of, model)
    with pytest.raises(wx.Unavailable, match="HF_HUB_OFFLINE forbids asking"):
        ask_offline(client.files_of, model)
    with pytest.raises(wx.Unavailable, match="cannot be reached"):
        ask_cut_off(client.files_of, model)


@pytest.mark.parametrize("name", ["/no/such/folder", "a--b", "a..b", ".", "x" * 97, "owner/name.git", "a b", ""])
def test_what_cannot_be_an_id_has_no_copy(ask, name):
    with pytest.raises(ValueError):
        ask(client.copied, name)
