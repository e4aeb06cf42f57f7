"""A whole chain over the wire: hostile answers stay text in its report, and one way that fails keeps the others."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

import wxtuning as wx
from tests.server.sdk_tuning import rows
from tests.watsonx.faults import Refusal
from tests.watsonx.wire import ALWAYS

BASE = "POST /ml/v1/text/generation"
TUNED = "POST /ml/v1/deployments/{id}/text/generation"
CREATE, DEPLOY = "POST /ml/v4/trainings", "POST /ml/v4/deployments"
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e=cmd()"


class Tags(HTMLParser):
    """The tags of an HTML text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)


@pytest.fixture
def experiment(connected, cpd_wire, tmp_path):
    """A chain of this test's own, hurried on by a real clock."""
    asked = wx.TuningExperiment(f"chain-{tmp_path.name}", task="classification").load(rows(70))
    asked = asked.tune(num_epochs=1, batch_size=16).evaluate(holdout=10).deploy("tone")
    return asked.wait(every=0.1).on(connected(cpd_wire))


def generated(text: str) -> Refusal:
    result = {"generated_text": text, "generated_token_count": 9, "input_token_count": 3, "stop_reason": "eos_token"}
    return Refusal(200, json.dumps({"model_id": "m", "results": [result]}).encode())


def test_hostile_answers_stand_in_the_report_as_text(cpd_wire, experiment):
    cpd_wire.breaks(BASE, generated(HOSTILE), times=ALWAYS)
    cpd_wire.breaks(TUNED, generated(f"tuned {HOSTILE}"), times=ALWAYS)
    report = experiment.run().report
    assert "alert(1)" in str(report), "the answers are shown"
    assert not {"\x1b", "\u202e"} & set(str(report) + report._repr_html_())
    assert "script" not in Tags(report._repr_html_()).seen
    assert "&lt;script&gt;" in report._repr_html_()


def test_when_the_tuned_model_does_not_answer_the_base_models_answers_are_kept(cpd_wire, experiment):
    cpd_wire.breaks(TUNED, Refusal(503), times=ALWAYS)
    with pytest.raises(wx.Unavailable):
        experiment.run()
    asked = cpd_wire.asked[BASE]
    assert asked == 2 * 10
    cpd_wire.faults.clear()
    run = experiment.run()
    assert set(run.scores) == {"base", "instruction", "tuned"}
    assert (cpd_wire.asked[BASE], cpd_wire.asked[CREATE], cpd_wire.asked[DEPLOY]) == (asked, 1, 1)
