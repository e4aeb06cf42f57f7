import subprocess
import sys

import pytest

from wxtuning.tiny import MODEL_ID, demonstration_file, model_folder

MEGABYTE = 1_000_000
TEXTS = (
    "",
    " ",
    "Hello there.",
    "  two spaces, a tab\tand\n\na line\r\nend  ",
    "Müller à l'hôtel, señor; Zürich, Łódź, İstanbul",
    "emoji 🙂👩‍👩‍👧 🇨🇭 and 漢字かな 한국어 العربية हिन्दी",
    "no-break\u00a0space, thin\u2009space, zero\u200bwidth, \ufeffmark",
    "order #0012345 costs 1,234.50 and ½",
    "don't CAN'T <b>tags</b> {braces} \\ \" `",
)


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_folder())


def test_the_package_data_stays_below_three_megabytes():
    files = [demonstration_file(), *(file for file in model_folder().rglob("*") if file.is_file())]
    assert sum(file.stat().st_size for file in files) <= 3 * MEGABYTE


def test_the_weights_are_safetensors_and_nothing_executable_is_shipped():
    names = {file.name for file in model_folder().iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_model_and_tokenizer_load_offline_with_the_auto_classes(tokenizer, monkeypatch):
    import torch
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = AutoModelForCausalLM.from_pretrained(model_folder())
    assert model.dtype == torch.float32
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)
    assert tokenizer.eos_token_id == model.config.eos_token_id


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back_unchanged(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_prompt_and_answer_have_the_same_tokens_apart_as_together(tokenizer):
    prompt, answer = "Input: It works like a charm. Output:", " satisfied"
    apart = tokenizer(prompt)["input_ids"] + tokenizer(answer)["input_ids"]
    assert apart == tokenizer(prompt + answer)["input_ids"]


def test_asking_for_the_paths_imports_nothing_heavy():
    code = "import sys, wxtuning.tiny as t; t.model_folder(); print('torch' in sys.modules, t.MODEL_ID)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", MODEL_ID]
