"""Tiny causal language models with random weights, saved as users have them: a folder with weights and a tokenizer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    Llama4ForCausalLM,
    Llama4TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MllamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.mllama.configuration_mllama import MllamaTextConfig

from models.causal_lm import load_causal_lm
from models.sequences import TokenSequence
from models.shared_sequences import SharedSequence
from models.source import find_model

TEXT = [
    "Below is an instruction that describes a task. Write a response that completes the request.",
    "Name three colours of autumn leaves. Red, yellow and brown. What is seven times eight? Fifty-six.",
    "Der Zug nach Lindau fährt um neun Uhr ab. 東京は日本の首都です。 Où est la gare ?",
]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<user>{{ message['content'] }}</user>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def build_tokenizer(adds_bos: bool, template: str | None = None, adds_eos: bool = False) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer of 400 tokens; with `adds_bos` it begins every text with <s>.

    `template` is its chat template; with `adds_eos` it ends every text with <s>.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    if adds_bos or adds_eos:
        single = ("<s> " if adds_bos else "") + "$A" + (" <s>" if adds_eos else "")
        tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", chat_template=template or (CHAT_TEMPLATE if adds_bos else None)
    )


def save_gpt2(folder: Path) -> Path:
    """Save a GPT-2 with 64 positions and a tokenizer without special tokens; return the folder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(adds_bos=False)
    # A wide initialisation, or all predictions would be alike and no test could tell one token from the next.
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# A decoder of two layers whose two heads share one key-value head.
DECODER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def save_llama(folder: Path) -> Path:
    """Save a Llama with 256 positions and a tokenizer with a BOS and a chat template; return the folder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(adds_bos=True)
    config = LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.3, **DECODER)
    # bfloat16 on disk, as most checkpoints are: scores must be float32 all the same.
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_mistral(folder: Path) -> Path:
    """Save a Mistral, which is not packed, with the same tokenizer; return the folder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(adds_bos=True)
    MistralForCausalLM(MistralConfig(vocab_size=len(tokenizer), **DECODER)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_chat_llama(folder: Path, template: str, adds_eos: bool = False) -> Path:
    """Save a Llama whose tokenizer adds no BOS and has this chat template; return the folder.

    All of them have the same weights.
    """
    torch.manual_seed(0)
    tokenizer = build_tokenizer(adds_bos=False, template=template, adds_eos=adds_eos)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.3, **DECODER)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_phi3(folder: Path, short_context: int) -> Path:
    """Save a Phi-3 whose positions are turned otherwise in texts beyond `short_context` tokens; return the folder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(adds_bos=False)
    size = DECODER["hidden_size"] // DECODER["num_attention_heads"] // 2
    longrope = {"type": "longrope", "short_factor": [1.0] * size, "long_factor": [4.0] * size}
    config = Phi3Config(
        vocab_size=len(tokenizer),
        initializer_range=0.3,
        pad_token_id=0,
        original_max_position_embeddings=short_context,
        rope_scaling=longrope,
        **DECODER,
    )
    Phi3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_llama4() -> PreTrainedModel:
    """Return a Llama 4 with two experts, whose body is the model itself."""
    torch.manual_seed(0)
    config = Llama4TextConfig(
        vocab_size=400,
        initializer_range=0.3,
        head_dim=8,
        intermediate_size_mlp=64,
        num_local_experts=2,
        attention_chunk_size=16,
        **DECODER,
    )
    return Llama4ForCausalLM(config).eval()


def build_mllama() -> PreTrainedModel:
    """Return the text model of a Mllama without cross-attention layers."""
    torch.manual_seed(0)
    config = MllamaTextConfig(
        vocab_size=400,
        initializer_range=0.3,
        cross_attention_layers=[],
        pad_token_id=0,
        rope_scaling={"rope_type": "default"},
        **DECODER,
    )
    return MllamaForCausalLM(config).eval()


def save_bert(folder: Path) -> Path:
    """Save a BERT with 64 positions and a tokenizer that puts <s> on both sides of a text; return the folder."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(adds_bos=True)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <s>", special_tokens=[("<s>", 0)]
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def load_tiny(
    folder: Path, max_length: int = 64, use_kernels: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a model in float32 on the CPU, and its tokenizer; without `use_kernels` all layers are the library's."""
    return load_causal_lm(
        find_model(str(folder)), torch.float32, torch.device("cpu"), max_length, use_kernels=use_kernels
    )


def random_sequences(lengths: list[int]) -> list[TokenSequence]:
    """Return sequences of these lengths, at least 2, that are scored from their second third on."""
    generator = torch.Generator().manual_seed(1)
    return [
        TokenSequence(torch.randint(1, 300, (length,), generator=generator).tolist(), 1 + length // 3)
        for length in lengths
    ]


def each_alone(sequences: Sequence[TokenSequence]) -> list[SharedSequence]:
    """Return sequences as a model takes them, each for itself."""
    return [
        SharedSequence(np.array(one.input_ids), np.arange(one.first_scored, len(one.input_ids))) for one in sequences
    ]
