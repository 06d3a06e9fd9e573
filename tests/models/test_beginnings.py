"""Long texts are cut before they are tokenized: what is kept of them is what the whole text gives."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from models import sequences
from models.beginnings import CHARS_PER_TOKEN, SPARE_TOKENS, beginning_of, first_ids
from models.sequences import encode_chunk, token_ids
from records.record import Skipped
from tiny_models import TEXT, build_tokenizer

MAX_LENGTH = 8
# A response of this many characters may be cut.
LONG = 2 * CHARS_PER_TOKEN * (MAX_LENGTH + 1 + SPARE_TOKENS) + 3
CORPUS = [
    *TEXT,
    "aaaa aaa abab baba 1234567890 1000000",
    "   \n\n\t  ",
    "The harbour was quiet; seven boats lay there.",
]


def fast(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")


def metaspace_bpe() -> PreTrainedTokenizerFast:
    """As Llama 2 has it: a text is one word, with marks in place of its spaces."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>"]))
    return fast(tokenizer)


def unigram() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=["<unk>", "<s>"], unk_token="<unk>")
    tokenizer.train_from_iterator(CORPUS * 20, trainer)
    return fast(tokenizer)


def wordpiece() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=["<unk>", "<s>"]))
    return fast(tokenizer)


def digits_from_the_end() -> PreTrainedTokenizerFast:
    """Groups of three digits that are counted from the end of a number."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d{1,3}(?=(?:\d{3})*(?:\D|$))|\D+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["100 200 300 400 500 600 123 456 789 " * 9, *CORPUS], trainer)
    return fast(tokenizer)


def greedy_mask() -> PreTrainedTokenizerFast:
    """A special token that takes all white space before it."""
    tokenizer = build_tokenizer(adds_bos=True)
    tokenizer.add_special_tokens({"mask_token": AddedToken("<mask>", lstrip=True, rstrip=True)})
    return tokenizer


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "byte-level BPE": lambda: build_tokenizer(adds_bos=True),
    "BPE that closes texts": lambda: build_tokenizer(adds_bos=False, adds_eos=True),
    "metaspace BPE": metaspace_bpe,
    "unigram": unigram,
    "WordPiece": wordpiece,
    "digits from the end": digits_from_the_end,
    "mask": greedy_mask,
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return KINDS[request.param]()


def pairs_of(tokenizer: PreTrainedTokenizerFast, prompt: str, response: str, is_cut: bool) -> object:
    """Encode a record, and without the cutting where `is_cut` is false."""
    record = {"instruction": prompt, "output": response}
    with pytest.MonkeyPatch.context() as patch:
        if not is_cut:
            patch.setattr(sequences, "beginning_of", lambda tokenizer, text, num_tokens, kept_of: text)
        return encode_chunk(tokenizer, [record], "none", MAX_LENGTH)[0]


# Pieces that runs are made of; among them those that tokenizers join, split or swallow.
PIECES = [
    "a",
    "ab",
    "aaaa",
    " ",
    "\n",
    "  \n",
    "The ",
    "seven boats",
    "1",
    "000",
    "12345",
    "東京",
    "é",
    "e\u0301",
    "\u200d",
]
PIECES += ["<s>", "<mask>", "'", "'s", "\t", ".", "🙂", "\u00a0", "\u3000", "ﬁ", "𝒳", "\x00"]
runs = st.tuples(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.sampled_from([1, 3, 40, 400, 1500]))
long_texts = st.lists(runs, min_size=1, max_size=4).map(
    lambda parts: "".join("".join(pieces) * times for pieces, times in parts)
)
mixed_texts = st.integers(0, 10**6).map(lambda seed: "".join(random.Random(seed).choices(PIECES, k=1000)))
prompts = st.one_of(st.sampled_from(["a", "Tell a story.", "  ", "1", "東京"]), long_texts, mixed_texts)


@settings(max_examples=25)
@given(prompt=prompts, response=st.one_of(long_texts, mixed_texts))
def test_a_cut_text_gives_the_sequences_of_the_whole(
    tokenizer: PreTrainedTokenizerFast, prompt: str, response: str
) -> None:
    assert pairs_of(tokenizer, prompt, response, True) == pairs_of(tokenizer, prompt, response, False)


@pytest.mark.parametrize("end", ["<mask>", "the end"])
@pytest.mark.parametrize("run", ["a", " ", "0", "東", "ab ", "\n ", "e\u0301", "<s>"])
def test_a_run_of_one_thing_gives_the_sequences_of_the_whole(
    tokenizer: PreTrainedTokenizerFast, run: str, end: str
) -> None:
    for num in (3 * LONG, 3 * LONG + 1):
        response = (run * num)[:num] + end
        assert pairs_of(tokenizer, "Tell.", response, True) == pairs_of(tokenizer, "Tell.", response, False)


def test_a_prompt_without_room_is_known_by_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 0

    def count(tokenizer: object, texts: list[str], special_tokens: bool = True) -> list[list[int]]:
        nonlocal longest
        longest = max(longest, *map(len, texts))
        return token_ids(tokenizer, texts, special_tokens)  # type: ignore[arg-type]

    monkeypatch.setattr(sequences, "token_ids", count)
    record = {"instruction": "boats " * 10**6, "output": "Yes."}
    assert encode_chunk(build_tokenizer(adds_bos=True), [record], "none", MAX_LENGTH) == [Skipped("long_prompt")]
    assert longest <= LONG


def test_texts_of_usual_length_are_not_cut() -> None:
    asked: list[str] = []
    text = "boats " * (LONG // 6 - 1)
    assert beginning_of(build_tokenizer(adds_bos=True), text, MAX_LENGTH + 1, asked.append) is text
    assert not asked


def test_ids_close_to_the_cut_are_not_trusted() -> None:
    assert first_ids(list(range(SPARE_TOKENS + 3)), 3) == (0, 1, 2)
    assert first_ids(list(range(SPARE_TOKENS + 2)), 3) is None


def test_many_texts_go_through_the_tokenizer_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, texts = build_tokenizer(adds_bos=True), [text * times for times in range(1, 6) for text in TEXT]
    expected = token_ids(tokenizer, texts)
    monkeypatch.setattr(sequences, "CHARS_AT_ONCE", 200)
    assert token_ids(tokenizer, texts) == expected
