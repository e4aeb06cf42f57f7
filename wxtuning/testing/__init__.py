"""What tests of chains and adapters need: a clock that nobody waits for, and a backend that answers at once."""

from wxtuning.testing.clock import FakeClock
from wxtuning.testing.fakes import FakeBackend

__all__ = ["FakeBackend", "FakeClock"]
