"""Files are data: what is malformed is refused by name, and nothing in a folder is ever run."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.conftest import METHODS, config_for, make_model, run_folder
from wxtuning.engine import EngineError, Generator, check_targets, tune

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def sound(models, tmp_path_factory):
    """Sound adapters of a llama by method."""
    home, found = tmp_path_factory.mktemp("sound"), {}
    for method in METHODS:
        folder = run_folder(home / method)
        tune(config_for(models["llama"], method, num_epochs=1), folder)
        found[method] = folder / "adapter"
    return found


@pytest.fixture(params=METHODS)
def adapter(request, sound, tmp_path):
    return shutil.copytree(sound[request.param], tmp_path / "adapter")


def refused(model, adapter):
    with pytest.raises(EngineError) as caught:
        Generator.load(model, adapter, device="cpu")
    assert caught.value.hint
    return caught.value


def test_pickled_weights_are_never_opened(llama, adapter, tmp_path):
    (adapter / WEIGHTS).unlink()
    canary = tmp_path / "canary"
    for name in ("adapter_model.bin", "adapter_model.pt"):
        (adapter / name).write_bytes(b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR.")
    error = refused(llama, adapter)
    assert error.code == "bad_adapter" and "never opened" in str(error)
    assert not canary.exists()


@pytest.mark.parametrize(
    "damage", [b"", b"\xff" * 8, (10**10).to_bytes(8, "little") + b"{}", b"\x02" + b"\0" * 7 + b"{}x"]
)
def test_damaged_weights_are_refused(llama, adapter, damage):
    (adapter / WEIGHTS).write_bytes(damage)
    assert refused(llama, adapter).code in ("bad_adapter", "wrong_base")


def test_numbers_that_are_not_finite_are_refused(llama, adapter):
    tensors = load_file(adapter / WEIGHTS)
    first = min(tensors)
    tensors[first].view(-1)[0] = float("nan")
    save_file(tensors, adapter / WEIGHTS)
    error = refused(llama, adapter)
    assert error.code == "bad_adapter" and first in str(error)


def test_a_base_of_another_width_and_that_of_the_adapter_are_named(models, adapter, tmp_path):
    wide = make_model("llama", tmp_path / "wide", hidden_size=64)
    error = refused(wide, adapter)
    assert error.code == "wrong_base"
    assert "32" in str(error) and "64" in str(error)
    assert f"tuned on '{models['llama']}', does not fit {wide}" in str(error)


def test_a_base_of_another_class_is_refused(models, sound):
    assert refused(models["gpt2"], sound["lora"]).code == "wrong_base"


def test_a_tensor_too_few_is_refused(llama, sound, tmp_path):
    adapter = shutil.copytree(sound["lora"], tmp_path / "adapter")
    tensors = load_file(adapter / WEIGHTS)
    tensors.pop(min(tensors))
    save_file(tensors, adapter / WEIGHTS)
    assert refused(llama, adapter).code == "wrong_base"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"peft_type": "IA3"}', "{}"])
def test_a_config_that_is_none_of_ours_is_refused(llama, adapter, content):
    (adapter / "adapter_config.json").write_text(content)
    assert refused(llama, adapter).code == "bad_adapter"


def test_an_absent_folder_is_refused(llama, tmp_path):
    assert refused(llama, tmp_path / "nowhere").code == "bad_adapter"


def test_a_seq2seq_table_of_pefts_default_is_read_by_its_first_half(models, tmp_path):
    folder = run_folder(tmp_path / "run")
    tune(config_for(models["t5"], num_epochs=1), folder)
    single = Generator.load(models["t5"], folder / "adapter", device="cpu").losses([("order", "good")])
    table = load_file(folder / "adapter" / WEIGHTS)["prompt_embeddings"]
    save_file({"prompt_embeddings": torch.cat([table, torch.randn(4, 32)])}, folder / "adapter" / WEIGHTS)
    assert Generator.load(models["t5"], folder / "adapter", device="cpu").losses([("order", "good")]) == single


def test_an_adapter_says_which_base_it_is_for(llama, adapter):
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == llama


def no_base(model):
    with pytest.raises(EngineError) as caught:
        Generator.load(str(model), device="cpu")
    assert caught.value.hint
    return caught.value


def test_a_folder_without_a_config_is_no_model(tmp_path):
    error = no_base(tmp_path)
    assert error.code == "model_not_found" and "config.json" in str(error)


def test_a_folder_that_is_not_there_is_no_model(tmp_path):
    assert no_base(tmp_path / "nowhere").code == "model_not_found"


def test_pickled_base_weights_are_never_opened(llama, tmp_path):
    model = shutil.copytree(llama, tmp_path / "model")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    error = no_base(model)
    assert error.code == "bad_model" and "safetensors" in error.hint


def test_a_damaged_base_is_named(llama, tmp_path):
    model = shutil.copytree(llama, tmp_path / "model")
    (model / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:-100])
    assert no_base(model).code == "bad_model"


def test_a_base_that_lacks_weights_is_not_filled_with_random_ones(llama, tmp_path):
    model = shutil.copytree(llama, tmp_path / "model")
    tensors = load_file(model / "model.safetensors")
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    error = no_base(model)
    assert error.code == "bad_model" and "up_proj" in str(error)


def test_code_from_a_model_folder_is_never_run(llama, tmp_path):
    model, canary = shutil.copytree(llama, tmp_path / "model"), tmp_path / "canary"
    config = json.loads((model / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "mine.py").write_text(f"open({str(canary)!r}, 'w')")
    assert no_base(model).code == "unsupported_model"
    assert not canary.exists()


def test_target_modules_that_are_not_there_are_told_without_weights(models):
    for name, model in models.items():
        check_targets(config_for(model, "lora"))
        check_targets(config_for(model, "lora", target_modules=("all-linear",)))
        with pytest.raises(EngineError, match=r"target_modules \['nothing'\] do not fit") as caught:
            check_targets(config_for(model, "lora", target_modules=("nothing",)))
        assert (caught.value.code, "set target_modules to some of" in caught.value.hint) == ("bad_config", True), name


def test_target_modules_that_are_not_there_are_named(llama, tmp_path):
    folder = run_folder(tmp_path / "run")
    with pytest.raises(EngineError) as caught:
        tune(config_for(llama, "lora", target_modules=("nothing",)), folder)
    assert caught.value.code == "bad_config" and "q_proj" in caught.value.hint
