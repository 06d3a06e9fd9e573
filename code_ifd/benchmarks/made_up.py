"""Records, a tokenizer and a model made on the spot, for measurements on machines that have neither data nor a Hub."""

import random
from itertools import accumulate
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from records.record import Record

# Alpaca's mean numbers of words, of prompt and response. The logarithms of lengths spread like a normal distribution.
PROMPT_WORDS, PROMPT_SPREAD = 21, 0.6
RESPONSE_WORDS, RESPONSE_SPREAD = 45, 1.0
NUM_WORDS = 20_000
SYLLABLES = [start + vowel for start in "bdfghklmnprstvwz" for vowel in ("a", "e", "i", "o", "u", "en", "ar", "is")]
# The tokenizer is trained on so many records; its tokens are then about three quarters of a word, as GPT-2's are.
TRAINING_RECORDS = 4000
TOKENS = 12_000


def write_like_alpaca(num_records: int, seed: int = 0) -> list[Record]:
    """Return made-up records with Alpaca's lengths: some words often, most seldom, and a long tail of responses."""
    generator = random.Random(seed)
    words = ["".join(generator.choices(SYLLABLES, k=generator.choice((1, 1, 2, 2, 3)))) for _ in range(NUM_WORDS)]
    ends = list(accumulate(1 / rank for rank in range(1, NUM_WORDS + 1)))  # Zipf's law

    def text(mean: float, spread: float) -> str:
        """Return words, `mean` of them on average."""
        # The mean of a log-normal distribution is exp(mu + spread ** 2 / 2).
        size = max(round(mean * generator.lognormvariate(-(spread**2) / 2, spread)), 1)
        return " ".join(generator.choices(words, cum_weights=ends, k=size)).capitalize() + "."

    return [
        {"instruction": text(PROMPT_WORDS, PROMPT_SPREAD), "output": text(RESPONSE_WORDS, RESPONSE_SPREAD)}
        for _ in range(num_records)
    ]


def save_gpt2(folder: Path, records: list[Record], is_tiny: bool) -> None:
    """Save GPT-2's shape, or a tiny model, with random weights, and a byte-level tokenizer trained on the records."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        (text for record in records[:TRAINING_RECORDS] for text in (record["instruction"], record["output"])), trainer
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=64, n_head=2, vocab_size=TOKENS) if is_tiny else GPT2Config()
    GPT2LMHeadModel(config).save_pretrained(folder)
