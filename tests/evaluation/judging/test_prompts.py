"""The judge's prompt: an interface, word for word."""

from answering.wrap_file import Pair
from judging.prompts import ASK_AGAIN, ask_again_messages, judge_messages

PAIR = Pair("q", None, "Why {x}?", "", "One {}.", "Two {0}.")
SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
CRITERIA = (
    "We would like to request your feedback on the performance of two AI assistants in response to the user question "
    "displayed above.\n"
    "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives "
    "an overall score on a "
    "scale of 1 to 10, where a higher score indicates better overall performance.\n"
    "Please first output a single line containing only two values indicating the scores for Assistant 1 and 2, "
    "respectively. The two scores "
    "are separated by a space. In the subsequent line, please provide a comprehensive explanation of your evaluation, "
    "avoiding any potential "
    "bias and ensuring that the order in which the responses were presented does not affect your judgment."
)


def published(question: str, first: str, second: str) -> str:
    return (
        "[Question]\n"
        + question
        + "\n\n[The Start of Assistant 1's Answer]\n"
        + first
        + "\n\n[The End of Assistant 1's Answer]\n\n"
        "[The Start of Assistant 2's Answer]\n"
        + second
        + "\n\n[The End of Assistant 2's Answer]\n\n[System]\n"
        + CRITERIA
        + "\n\n"
    )


def test_the_prompt_is_the_published_one_and_braces_survive() -> None:
    assert judge_messages(PAIR, reverse=False, show_input=True) == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": published("Why {x}?", "One {}.", "Two {0}.")},
    ]


def test_the_other_order_shows_the_second_answer_first() -> None:
    assert judge_messages(PAIR, reverse=True, show_input=True)[1]["content"] == published(
        "Why {x}?", "Two {0}.", "One {}."
    )


def test_an_input_belongs_to_the_question_unless_it_is_off() -> None:
    pair = Pair("q", None, "Sort these.", "3 1 2", "One.", "Two.")
    assert judge_messages(pair, False, show_input=True)[1]["content"] == published(
        "Sort these.\n\nInput:\n3 1 2", "One.", "Two."
    )
    assert judge_messages(pair, False, show_input=False)[1]["content"] == published("Sort these.", "One.", "Two.")


def test_asking_again_goes_on_with_the_conversation() -> None:
    messages = judge_messages(PAIR, False, True)
    assert ask_again_messages(messages, "Both.") == [
        *messages,
        {"role": "assistant", "content": "Both."},
        {"role": "user", "content": ASK_AGAIN},
    ]
