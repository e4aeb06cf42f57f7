"""A run that was interrupted ends in the bytes of one that was not."""

from __future__ import annotations

import shutil

import pytest

from tests.engine.conftest import METHODS, ROWS, adapter_bytes, config_for, run_folder
from wxtuning.engine import EngineError, read_metrics, tune


def stop_after(count):
    """A should_stop that says yes once `count` steps were made."""
    asked = iter(range(10_000))
    return lambda: next(asked) >= count


def curve(folder):
    return [{name: value for name, value in metric.items() if name != "seconds"} for metric in read_metrics(folder)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", [0, 1, 2, 3, 5])
def test_a_run_stopped_at_any_step_ends_in_the_same_bytes(causal_and_seq2seq, tmp_path, method, step):
    config = config_for(causal_and_seq2seq, method, lora_dropout=0.1, early_stopping_patience=5)
    whole = run_folder(tmp_path / "whole", validation=ROWS[:4])
    broken = run_folder(tmp_path / "broken", validation=ROWS[:4])
    tune(config, whole)
    stopped = tune(config, broken, should_stop=stop_after(step))
    assert stopped.stopped and stopped.adapter is None and stopped.steps == step
    assert not tune(config, broken).stopped
    assert adapter_bytes(broken) == adapter_bytes(whole)
    assert curve(broken) == curve(whole)


def test_a_run_stopped_after_every_step_ends_in_the_same_bytes(llama, tmp_path):
    config = config_for(llama)
    whole, broken = run_folder(tmp_path / "whole"), run_folder(tmp_path / "broken")
    tune(config, whole)
    for _ in range(6):
        assert tune(config, broken, should_stop=stop_after(1)).stopped or True
    tune(config, broken)
    assert adapter_bytes(broken) == adapter_bytes(whole)
    assert curve(broken) == curve(whole)


def test_lines_after_the_checkpoint_are_written_again_not_twice(llama, tmp_path):
    config = config_for(llama, checkpoint_every_steps=2)
    whole, broken = run_folder(tmp_path / "whole"), run_folder(tmp_path / "broken")
    tune(config, whole)

    def fail_at_step_3(metric):
        if metric["step"] == 3:
            raise RuntimeError("the power is gone")

    with pytest.raises(EngineError, match="the power is gone"):
        tune(config, broken, on_metric=fail_at_step_3)
    assert read_metrics(broken)[-1]["step"] == 3
    tune(config, broken)
    assert curve(broken) == curve(whole)
    assert adapter_bytes(broken) == adapter_bytes(whole)


def test_a_torn_last_line_of_the_curve_is_left_out(llama, tmp_path):
    folder = run_folder(tmp_path / "run")
    tune(config_for(llama), folder, should_stop=stop_after(2))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert [metric["step"] for metric in read_metrics(folder)] == [1, 2]
    tune(config_for(llama), folder)
    assert [metric["step"] for metric in read_metrics(folder)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("changed", [{"learning_rate": 0.2}, {"seed": 9}, {"num_epochs": 3}])
def test_a_checkpoint_of_other_parameters_is_refused(llama, folder, changed):
    tune(config_for(llama), folder, should_stop=stop_after(2))
    with pytest.raises(EngineError) as caught:
        tune(config_for(llama, **changed), folder)
    assert caught.value.code == "checkpoint_mismatch"


def test_a_checkpoint_of_other_rows_is_refused(llama, folder):
    tune(config_for(llama), folder, should_stop=stop_after(2))
    (folder / "train.jsonl").write_text('{"input": "other", "output": "rows"}\n')
    with pytest.raises(EngineError) as caught:
        tune(config_for(llama), folder)
    assert caught.value.code == "checkpoint_mismatch"


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff" * 64])
def test_a_damaged_checkpoint_is_named_and_not_guessed(llama, folder, damage):
    tune(config_for(llama), folder, should_stop=stop_after(2))
    (folder / "checkpoint" / "state.safetensors").write_bytes(damage)
    with pytest.raises(EngineError, match="damaged") as caught:
        tune(config_for(llama), folder)
    assert caught.value.code == "checkpoint_mismatch"


def test_planted_pickles_beside_a_checkpoint_are_not_opened(llama, folder):
    canary = folder / "canary"
    bomb = b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."
    tune(config_for(llama), folder, should_stop=stop_after(2))
    for name in ("optimizer.pt", "rng_state.pth", "scheduler.pt", "adapter_model.bin"):
        (folder / "checkpoint" / name).write_bytes(bomb)
    tune(config_for(llama), folder)
    assert not canary.exists()


def test_an_adapter_half_written_by_a_crash_is_replaced(llama, tmp_path):
    whole, broken = run_folder(tmp_path / "whole"), run_folder(tmp_path / "broken")
    tune(config_for(llama), whole)
    shutil.copytree(whole / "adapter", broken / ".adapter.new")
    (broken / "adapter").mkdir()
    (broken / "adapter" / "adapter_config.json").write_text("{")
    tune(config_for(llama), broken)
    assert adapter_bytes(broken) == adapter_bytes(whole)
