"""AdamW with a linear schedule, in plain tensors: its whole state is two tensors a parameter and the step number.

Our own because torch.optim imports the compiler on its first step (a second of every start), and because a state of
plain tensors is saved and resumed bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8


class AdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) with betas 0.9 and 0.999 and eps 1e-8, as torch has it."""

    def __init__(self, parameters: Mapping[str, torch.Tensor], *, weight_decay: float) -> None:
        self.parameters = parameters
        self.weight_decay = weight_decay
        self.first = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}
        self.second = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}

    @torch.no_grad()
    def clip(self, longest: float) -> float:
        """Scale all gradients so that their common norm is at most `longest`; returns the norm before."""
        gradients = [tensor.grad for tensor in self.parameters.values() if tensor.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]))
        length = float(norm)
        if math.isfinite(length) and length > longest:
            for gradient in gradients:
                gradient.mul_(longest / (length + 1e-6))
        return length

    @torch.no_grad()
    def step(self, number: int, rate: float) -> None:
        """Apply the gradients as step `number` (from 1) at learning rate `rate`, then drop them."""
        scale_first, scale_second = 1 - _FIRST**number, math.sqrt(1 - _SECOND**number)
        for name, tensor in self.parameters.items():
            if tensor.grad is None:
                continue
            first, second = self.first[name], self.second[name]
            first.lerp_(tensor.grad, 1 - _FIRST)
            second.mul_(_SECOND).addcmul_(tensor.grad, tensor.grad, value=1 - _SECOND)
            tensor.mul_(1 - rate * self.weight_decay)
            tensor.addcdiv_(first, second.sqrt().div_(scale_second).add_(_EPSILON), value=-rate / scale_first)
            tensor.grad = None


def learning_rate(step: int, steps: int, *, highest: float, warmup_ratio: float) -> float:
    """The rate of step `step` (from 1) of `steps`: up to `highest` in the warm-up, then down towards 0, both linear."""
    warmup = math.ceil(steps * warmup_ratio)
    if step <= warmup:
        return highest * step / warmup
    return highest * (steps - step + 1) / (steps - warmup)
