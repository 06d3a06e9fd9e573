"""Generation: a batch answers as its prompts would alone, stops where it must, and draws nothing unless asked."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig, PreTrainedModel

from answering.generation import AnswerGenerator, Decoding, stop_tokens
from shared.cli import UserError
from tiny_models import load_tiny

MAX_LENGTH = 64  # as many positions as the tiny GPT-2 has
# Far apart: the shortest prompt runs on long after the longest has no room, which is where GPT-2's positions would end.
LENGTHS = [3, 60, 17, 40, 1, 63]
NO_STOP: set[int] = set()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small only wait for a second core."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture(params=["tiny_gpt2", "tiny_llama"])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return load_tiny(request.getfixturevalue(request.param))[0]


def make_prompts(lengths: list[int]) -> list[list[int]]:
    generator = random.Random(0)
    return [generator.choices(range(1, 300), k=length) for length in lengths]


def likeliest(model: PreTrainedModel, prompt: list[int], stop_ids: set[int]) -> list[int]:
    """The answer by the definition: append the likeliest next token until a stop token or the limit."""
    ids = list(prompt)
    while len(ids) < MAX_LENGTH and not (len(ids) > len(prompt) and ids[-1] in stop_ids):
        with torch.inference_mode():
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def frequent_token(model: PreTrainedModel) -> int:
    """A token that many answers have in their middle."""
    answers = AnswerGenerator(model, Decoding(MAX_LENGTH), NO_STOP).answer(make_prompts(LENGTHS), "x")
    return max({token for ids in answers for token in ids}, key=lambda token: sum(token in ids[2:] for ids in answers))


def test_batch_gives_the_likeliest_tokens_up_to_each_rows_own_limit(model: PreTrainedModel) -> None:
    prompts = make_prompts(LENGTHS)
    answers = AnswerGenerator(model, Decoding(MAX_LENGTH), NO_STOP).answer(prompts, "x")
    assert [len(ids) for ids in answers] == [MAX_LENGTH - length for length in LENGTHS]
    assert answers == [likeliest(model, prompt, NO_STOP) for prompt in prompts]


def test_answer_ends_with_the_first_stop_token(model: PreTrainedModel) -> None:
    stop = frequent_token(model)
    prompts = make_prompts(LENGTHS)
    answers = AnswerGenerator(model, Decoding(MAX_LENGTH), {stop}).answer(prompts, "x")
    assert answers == [likeliest(model, prompt, {stop}) for prompt in prompts]
    assert any(
        ids[-1] == stop and len(ids) < MAX_LENGTH - len(prompt) for ids, prompt in zip(answers, prompts, strict=True)
    )


@pytest.mark.parametrize("decoding", [Decoding(MAX_LENGTH), Decoding(MAX_LENGTH, num_beams=3)])
def test_batch_equals_one_at_a_time(model: PreTrainedModel, decoding: Decoding) -> None:
    generator = AnswerGenerator(model, decoding, {frequent_token(model), 7})
    prompts = make_prompts(LENGTHS)
    assert generator.answer(prompts, "x") == [generator.answer([prompt], "x")[0] for prompt in prompts]


def test_more_beams_find_another_answer(model: PreTrainedModel) -> None:
    one, three = (
        AnswerGenerator(model, Decoding(MAX_LENGTH, num_beams), NO_STOP).answer(make_prompts([20]), "x")
        for num_beams in (1, 3)
    )
    assert one != three


def test_checkpoint_cannot_switch_on_sampling_or_penalties(model: PreTrainedModel) -> None:
    prompts = make_prompts([5, 20])
    expected = [likeliest(model, prompt, NO_STOP) for prompt in prompts]
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=5.0,
        top_k=3,
        top_p=0.5,
        repetition_penalty=9.0,
        num_beams=4,
        max_length=30,
        no_repeat_ngram_size=2,
    )
    generator = AnswerGenerator(model, Decoding(MAX_LENGTH), NO_STOP)
    assert [generator.answer(prompts, stream) for stream in ("x", "y")] == [expected, expected]


def test_draws_depend_on_seed_and_stream_alone(model: PreTrainedModel) -> None:
    def draw(seed: int, stream: str) -> list[list[int]]:
        torch.rand(3)
        return AnswerGenerator(model, Decoding(MAX_LENGTH, temperature=1.0, seed=seed), NO_STOP).answer(
            make_prompts([5, 20]), stream
        )

    assert draw(1, "x") == draw(1, "x")
    assert draw(1, "x") != draw(2, "x")
    assert draw(1, "x") != draw(1, "y")
    assert draw(-1, "x") != draw(10**30, "x")


def test_a_tiny_share_of_the_likeliest_is_the_likeliest(model: PreTrainedModel) -> None:
    prompts = make_prompts([5, 20])
    drawn = AnswerGenerator(model, Decoding(MAX_LENGTH, temperature=2.0, top_p=1e-6), NO_STOP).answer(prompts, "x")
    assert drawn == [likeliest(model, prompt, NO_STOP) for prompt in prompts]


def test_temperature_draws_beyond_the_fifty_likeliest(model: PreTrainedModel) -> None:
    prompt = make_prompts([20])[0]
    with torch.inference_mode():
        top = model(input_ids=torch.tensor([prompt])).logits[0, -1].topk(50).indices.tolist()
    generator = AnswerGenerator(model, Decoding(21, temperature=100.0), NO_STOP)
    firsts = {generator.answer([prompt], str(number))[0][0] for number in range(40)}
    assert firsts - set(top)


def limit_batch(model: PreTrainedModel, most: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let memory hold `most` rows; return the list that the sizes of the batches go into."""
    generate: Callable = model.generate
    sizes: list[int] = []

    def generate_or_fail(input_ids: torch.Tensor, **options: object) -> torch.Tensor:
        sizes.append(len(input_ids))
        if len(input_ids) > most:
            raise torch.OutOfMemoryError
        return generate(input_ids=input_ids, **options)

    monkeypatch.setattr(model, "generate", generate_or_fail)
    return sizes


def test_batch_that_memory_does_not_hold_is_halved(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = make_prompts(LENGTHS)
    generator = AnswerGenerator(model, Decoding(MAX_LENGTH), NO_STOP)
    whole = generator.answer(prompts, "x")
    sizes = limit_batch(model, 3, monkeypatch)
    assert generator.answer(prompts, "x") == whole
    assert sizes == [6, 3, 3]
    assert capsys.readouterr().err == "note: memory does not hold a batch of 6, it is halved; lower --batch_size\n"


def test_prompt_that_memory_does_not_hold_is_an_error(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = AnswerGenerator(model, Decoding(MAX_LENGTH), NO_STOP)
    limit_batch(model, 0, monkeypatch)
    with pytest.raises(UserError, match="out of memory on a single prompt of 20 tokens; lower --max_length"):
        generator.answer(make_prompts([20, 20]), "x")


def test_token_that_the_model_does_not_know_is_an_error(model: PreTrainedModel) -> None:
    with pytest.raises(UserError, match="the tokenizer gave token id 5000, but the model has"):
        AnswerGenerator(model, Decoding(MAX_LENGTH), NO_STOP).answer([[1, 5000]], "x")


@pytest.mark.parametrize(("of_config", "expected"), [(None, {0}), (7, {0, 7}), ([7, 8], {0, 7, 8})])
def test_stop_tokens_are_those_of_checkpoint_and_tokenizer(
    of_config: object, expected: set[int], tiny_gpt2: Path
) -> None:
    model, tokenizer = load_tiny(tiny_gpt2)
    model.generation_config.eos_token_id = of_config
    tokenizer.eos_token = "<s>"
    assert stop_tokens(model, tokenizer) == expected
    tokenizer.eos_token = None
    assert stop_tokens(model, tokenizer) == expected - {0}
