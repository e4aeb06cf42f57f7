"""A conversation becomes its last answer and what stands before it."""

from __future__ import annotations

import pytest

from wxtuning.records import convert
from wxtuning.spec import NO_CLEANING, Mapping

CHAT = Mapping(messages="messages")
SYSTEM = {"role": "system", "content": "Be brief."}
QUESTION = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
AGAIN = {"role": "user", "content": "And?"}
LAST = {"role": "assistant", "content": "Done."}


def converted(*messages):
    return convert([{"messages": list(messages)}], CHAT, NO_CLEANING)


def pair(*messages):
    (record,) = converted(*messages).records
    return record.input, record.output


def reject(messages):
    (found,) = convert([{"messages": messages}], CHAT, NO_CLEANING).report.rejected
    return found.field, found.code


def test_one_question_is_the_input_as_it_is():
    assert pair(QUESTION, ANSWER) == ("Why?", "So.")


def test_what_the_system_says_stands_in_front():
    assert pair(SYSTEM, QUESTION, ANSWER) == ("Be brief.\n\nWhy?", "So.")


def test_the_last_answer_is_the_output_and_the_turns_before_it_are_named():
    assert pair(QUESTION, ANSWER, AGAIN, LAST) == ("User: Why?\nAssistant: So.\nUser: And?", "Done.")


def test_what_stands_after_the_last_answer_is_left_out_and_told():
    found = converted(QUESTION, ANSWER, AGAIN)
    assert [(record.input, record.output) for record in found.records] == [("Why?", "So.")]
    assert found.report.changed == {"messages after the last answer left out": (1,)}


@pytest.mark.parametrize(
    ("messages", "field", "code"),
    [
        ("text", "messages", "wrong_type"),
        (None, "messages", "wrong_type"),
        ([], "messages", "missing_field"),
        ([QUESTION], "messages", "missing_field"),
        (["hi"], "messages[0]", "wrong_type"),
        ([QUESTION, {"role": "assistant"}], "messages[1].content", "missing_field"),
        ([{"role": "assistant", "content": ["x"]}], "messages[0].content", "wrong_type"),
        ([{"role": "assistant", "content": "\ud800"}], "messages[0].content", "lone_surrogate"),
        ([{"role": "assistant", "content": "a\0"}], "messages[0].content", "nul_char"),
        ([ANSWER], "input", "empty_field"),
    ],
)
def test_messages_that_cannot_be_read_are_rejected_with_their_place(messages, field, code):
    assert reject(messages) == (field, code)


def test_a_row_without_the_column_is_rejected():
    (found,) = convert([{"message": [QUESTION, ANSWER]}], CHAT, NO_CLEANING).report.rejected
    assert found.code == "missing_field"
    assert "'message'" in found.message
