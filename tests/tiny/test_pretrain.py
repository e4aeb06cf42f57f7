import torch
from transformers import AutoTokenizer

from wxtuning.tiny import model_folder
from wxtuning.tiny.pretrain import Recipe, new_model, pretrain


def trained(seed, steps=4):
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model = new_model(seed, tokenizer)
    losses = []
    pretrain(model, tokenizer, Recipe(seed=seed, steps=steps), progress=lambda step, loss: losses.append(loss))
    return model, losses


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (list(trained(seed)[0].parameters()) for seed in (0, 0, 1))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_progress_hears_the_loss_of_the_answers():
    _, losses = trained(0)
    assert len(losses) == 1
    assert losses[0] > 1.0
