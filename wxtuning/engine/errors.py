"""What can go wrong in the engine, as one exception with a code."""

from __future__ import annotations

import errno


class EngineError(RuntimeError):
    """The engine cannot go on: what happened, with values; `code` for programs, `hint` for what to do next.

    Codes: bad_config, bad_row, no_rows, too_long, model_not_found, bad_model, unsupported_model, missing_dependency,
    bad_adapter, wrong_base, nan_loss, out_of_memory, device_lost, disk_full, checkpoint_mismatch, io_error, internal.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (str(self), self.code, self.hint))


def _rebuild(message: str, code: str, hint: str) -> EngineError:
    return EngineError(message, code=code, hint=hint)


def translate(cause: BaseException) -> EngineError:
    """`cause` as an EngineError: memory, device and disk faults by name, the rest as `internal`."""
    if isinstance(cause, EngineError):
        return cause
    if isinstance(cause, OSError):
        return _of_the_system(cause)
    text = str(cause).strip() or type(cause).__name__
    if isinstance(cause, MemoryError) or _is_memory(cause, text):
        return EngineError(f"out of memory: {_first_line(text)}", code="out_of_memory", hint=_SMALLER)
    if "CUDA" in text or "MPS backend" in text or "HIP error" in text:
        return EngineError(f"the device failed: {_first_line(text)}", code="device_lost", hint=_OTHER_DEVICE)
    return EngineError(f"{type(cause).__name__}: {_first_line(text)}", code="internal", hint=_REPORT)


_SMALLER = "use a smaller batch_size with more accumulate_steps, a smaller max_input_tokens or a smaller model"
_OTHER_DEVICE = "start again, the run goes on from its checkpoint; device='cpu' avoids the accelerator"
_REPORT = "the traceback is in log.txt in the run's folder"
_FREE_SPACE = "free some space and start again; the run goes on from its checkpoint"


def _of_the_system(cause: OSError) -> EngineError:
    if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return EngineError(f"no space left to write {cause.filename or 'a file'}", code="disk_full", hint=_FREE_SPACE)
    where = f" ({cause.filename})" if cause.filename else ""
    return EngineError(f"{cause.strerror or cause}{where}", code="io_error", hint="check the folder and its rights")


def _is_memory(cause: BaseException, text: str) -> bool:
    return type(cause).__name__ == "OutOfMemoryError" or "can't allocate memory" in text or "out of memory" in text


def _first_line(text: str) -> str:
    return text.splitlines()[0][:300]
