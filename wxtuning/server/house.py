"""What all routes share: the ground, and on it the jobs and the answers. Knows no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wxtuning.server.ground import Ground, room

if TYPE_CHECKING:
    from wxtuning.server.answering.answers import Answers
    from wxtuning.server.trainings.jobs import Jobs


@dataclass(frozen=True)
class House(Ground):
    """All rooms of the server. Each is opened when it is first needed, so that starting costs nothing."""

    @room
    def jobs(self) -> Jobs:
        from wxtuning.server.trainings.jobs import Jobs

        return Jobs(self)

    @room
    def answers(self) -> Answers:
        from wxtuning.server.answering.answers import Answers

        return Answers()

    def opened(self, name: str) -> bool:
        """Whether a room is in use."""
        return name in self.__dict__
