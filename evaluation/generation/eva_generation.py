"""Step 1 of judging: let a model answer the questions of a test set.

Reads the test set from TEST_DATA_DIR or evaluation/test_data. Writes
<output_dir>/<dataset_name>_<max_length>.json: the rows of the test set, in order,
with raw_output and response. Beside it, a journal says what they were made with.
Run the same command again after a stop of any kind: it goes on where it was.

python evaluation/generation/eva_generation.py --dataset_name sample \\
    --model_name_or_path smollm2-135m --prompt chat --max_length 256 \\
    --output_dir outputs/evaluation/model1
"""

import importlib.metadata
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from answering.flags import Decoding, GenerationSettings, parse_args
from answering.generation_file import GenerationRow, default_output_dir, generation_path
from answering.generation_journal import open_journal, rows_of, write_generation_file
from answering.prompt_batches import cut_batches, encode_questions, end_of_turn
from answering.question_sets import Question, question_set_path, read_questions
from models.source import ModelSource, find_model
from records.journal import LineJournal
from shared.cli import Interrupted, run, say
from shared.files import make_folder, sha256_of

JOURNAL_FORMAT = 1


def describe_generation(settings: GenerationSettings, source: ModelSource, num_questions: int) -> dict[str, Any]:
    """Return the header of the journal: all that decides the answers beyond rounding, and what decides that."""
    decoding = settings.decoding
    return {
        "format": JOURNAL_FORMAT,
        "model": source.name,
        "model_fingerprint": source.fingerprint,
        "dataset_name": settings.dataset_name,
        "test_set_sha256": sha256_of(question_set_path(settings.dataset_name)),
        "num_questions": num_questions,
        "prompt": settings.prompt,
        "max_length": decoding.max_length,
        "num_beams": decoding.num_beams,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "seed": decoding.seed,
        "batch_size": settings.batch_size,
        "dtype": settings.dtype,
        "device": settings.device,
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "tokenizers")},
    }


def resolve_device(device: str, dtype: str) -> tuple[str, str]:
    """Return device and dtype with what `auto` stands for on this machine. Raises UserError for an absent device."""
    from models.causal_lm import choose_device

    device = choose_device(device).type
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    return device, dtype


def generate_missing(
    journal: LineJournal,
    questions: list[Question],
    source: ModelSource,
    settings: GenerationSettings,
    trust_remote_code: bool,
) -> int:
    """Answer the questions that the journal does not have yet and return the number of new tokens.

    Raises Interrupted on Ctrl-C.
    """
    import torch

    from answering.generation import AnswerGenerator, stop_tokens
    from models.causal_lm import DTYPES, load_causal_lm
    from models.cpu_kernels import keep_freed_memory

    keep_freed_memory()
    device, max_length = torch.device(settings.device), settings.decoding.max_length
    model, tokenizer = load_causal_lm(source, DTYPES[settings.dtype], device, max_length, trust_remote_code)
    prompts = encode_questions(tokenizer, questions, settings.prompt)
    batches, too_long = cut_batches([len(prompt) for prompt in prompts], settings.batch_size, max_length)
    stop_ids = stop_tokens(model, tokenizer)
    if settings.prompt == "chat" and (turn_end := end_of_turn(tokenizer)) is not None:
        stop_ids.add(turn_end)
    done = rows_of(journal, questions)
    if too_long and too_long[0] not in done:
        journal.append([{"skipped": too_long}])
    num_tokens = 0
    with tqdm(total=len(questions), initial=len(done), unit=" questions", disable=None, dynamic_ncols=True) as bar:
        generator = AnswerGenerator(
            model, settings.decoding, stop_ids, lambda num_new: bar.set_postfix_str(f"token {num_new}")
        )
        for number, batch in enumerate(batches):
            if batch[0] in done:
                continue
            answers = generator.answer([prompts[index] for index in batch], f"batch {number}")
            journal.append(
                [{"answers": [answer_entry(*pair, stop_ids, tokenizer) for pair in zip(batch, answers, strict=True)]}]
            )
            num_tokens += sum(map(len, answers))
            bar.update(len(batch))
    return num_tokens


def answer_entry(index: int, ids: list[int], stop_ids: set[int], tokenizer: Any) -> GenerationRow:
    """Return what the journal keeps of one answer."""
    has_ended = bool(ids) and ids[-1] in stop_ids
    # A stop token need not be a special one.
    response = tokenizer.decode(ids[:-1] if has_ended else ids, skip_special_tokens=True)
    return {
        "place": index,
        "raw_output": tokenizer.decode(ids),
        "response": response.strip(),
        "tokens": len(ids),
        "has_ended": has_ended,
    }


def say_generation(
    journal: LineJournal,
    output: str,
    rows: dict[int, GenerationRow],
    num_new: int,
    num_tokens: int,
    seconds: float,
    max_length: int,
) -> None:
    """Print what the generation file holds."""
    skipped = [row for row in rows.values() if row["response"] is None]
    num_cut = sum(not answer["has_ended"] for entry in journal.entries for answer in entry.get("answers", []))
    speed = (
        f"{num_new} in {seconds:.1f} s, {num_tokens / seconds:.1f} tokens/s" if num_new else "all of them done before"
    )
    say(
        f"{len(rows)} questions ({speed}), {len(rows) - len(skipped)} answered, {num_cut} of them cut at --max_length "
        f"{max_length}; "
        f"skipped: {f'long_prompt {len(skipped)}' if skipped else 'none'} -> {output}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Answer the questions of a test set and write the generation file."""
    args = parse_args(__doc__, argv)
    questions = read_questions(args.dataset_name)[: args.num_questions]
    source = find_model(args.model_name_or_path, args.revision)
    output_dir = args.output_dir or default_output_dir(args.model_name_or_path)
    make_folder(output_dir)
    if args.check_only:
        return
    device, dtype = resolve_device(args.device, args.dtype)
    decoding = Decoding(args.max_length, args.num_beams, args.temperature, float(args.top_p), args.seed)
    settings = GenerationSettings(args.dataset_name, args.prompt, decoding, args.batch_size, dtype, device)
    output = generation_path(output_dir, args.dataset_name, args.max_length)
    with open_journal(output, describe_generation(settings, source, len(questions))) as journal:
        num_before, num_tokens, started = len(rows_of(journal, questions)), 0, time.perf_counter()
        if num_before < len(questions):
            try:
                num_tokens = generate_missing(journal, questions, source, settings, args.trust_remote_code)
            except KeyboardInterrupt:
                done = f"{len(rows_of(journal, questions))} of {len(questions)} questions are in {journal.path}"
                raise Interrupted(f"{done}; the same command goes on from there") from None
        rows = rows_of(journal, questions)
        write_generation_file(output, rows)
        say_generation(
            journal, output, rows, len(rows) - num_before, num_tokens, time.perf_counter() - started, args.max_length
        )


if __name__ == "__main__":
    run(main)
