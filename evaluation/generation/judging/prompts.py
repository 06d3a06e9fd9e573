"""What the judge is asked: the published prompt for a pair of answers.

And the short request that follows when its scores cannot be read.
"""

from answering.wrap_file import Pair

Messages = list[dict[str, str]]

SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
CRITERIA = (
    "We would like to request your feedback on the performance of two AI assistants in response to the user question "
    "displayed above.\n"
    "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives "
    "an overall score on "
    "a scale of 1 to 10, where a higher score indicates better overall performance.\n"
    "Please first output a single line containing only two values indicating the scores for Assistant 1 and 2, "
    "respectively. The two "
    "scores are separated by a space. In the subsequent line, please provide a comprehensive explanation of your "
    "evaluation, avoiding "
    "any potential bias and ensuring that the order in which the responses were presented does not affect your "
    "judgment."
)
# Earlier versions of this tool put a space before both line breaks; what was begun so is finished so.
EARLIER_CRITERIA = CRITERIA.replace(".\n", ". \n")
ASK_AGAIN = (
    "Your scores could not be read. Please reply with one line that holds nothing but two numbers from 1 to 10, "
    "separated by a space: "
    "the score of Assistant 1, then the score of Assistant 2."
)


def judge_messages(
    pair: Pair, reverse: bool, show_input: bool, criteria: str = CRITERIA, has_system_role: bool = True
) -> Messages:
    """Return the published messages for a pair, as they stand where the pair has no input or `show_input` is off.

    `reverse` shows the second answer first. The published prompt knows no input: it is shown as part of the question.
    `criteria` is CRITERIA, or EARLIER_CRITERIA for reviews that were begun with it. Without a system role its text
    begins the user's turn.
    """
    first, second = (pair.answer2, pair.answer1) if reverse else (pair.answer1, pair.answer2)
    question = f"{pair.prompt}\n\nInput:\n{pair.input}" if show_input and pair.input else pair.prompt
    # Joined once, never formatted again: braces in the data are data.
    user = (
        f"[Question]\n{question}\n\n"
        f"[The Start of Assistant 1's Answer]\n{first}\n\n[The End of Assistant 1's Answer]\n\n"
        f"[The Start of Assistant 2's Answer]\n{second}\n\n[The End of Assistant 2's Answer]\n\n"
        f"[System]\n{criteria}\n\n"
    )
    if not has_system_role:
        return [{"role": "user", "content": f"{SYSTEM}\n\n{user}"}]
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]


def ask_again_messages(messages: Messages, text: str) -> Messages:
    """Return the conversation so far and a request for one line with two numbers."""
    return [*messages, {"role": "assistant", "content": text}, {"role": "user", "content": ASK_AGAIN}]
