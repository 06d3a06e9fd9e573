"""How fast is step 1 on this machine, how near to its limit, and how exact?

Runs in turn, several times, on the same records: the published method one record
(of a conversation, one answer) at a time, this tool in each dtype, lm-eval where
it is installed, and the matrix products alone, which are the limit. Prints a
table of medians; the last line is one JSON object. CPU only.

PYTHONPATH=code_ifd python -m benchmarks.scoring \\
    --data_path data/sample_alpaca.json \\
    --model_name_or_path smollm2-135m --num_records 64
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from benchmarks.contenders import BenchTask, Losses, has_lm_eval, serve
from models.causal_lm import load_causal_lm
from models.cpu_kernels import has_fast_bfloat16
from models.sequences import encode_chunk
from models.shared_sequences import share
from models.source import find_model
from records.conversations import check_records, exchanges
from records.dataset import read_dataset
from records.record import Skipped
from selection.flags import add_selection_flags, wanted_number
from selection.ifd import select
from shared.cli import UserError, new_parser, positive_int, run, say

GPT2_SHAPE = "gpt2-shape"


def prepare_model(name: str, max_length: int, folder: Path) -> str:
    """Save a model for all contenders as transformers reads it, and return its name: a folder for gpt2-shape."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    if name == GPT2_SHAPE:
        from models.pip_models import SMOLLM2, dequantized_folder

        source = find_model(SMOLLM2.name)
        tokenizer_folder = dequantized_folder(Path(source.location), source.fingerprint)
        torch.manual_seed(0)
        GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
        AutoTokenizer.from_pretrained(tokenizer_folder).save_pretrained(folder)
        return str(folder)
    # Without our kernels: the reference must be the library's own model.
    model, tokenizer = load_causal_lm(
        find_model(name), torch.float32, torch.device("cpu"), max_length, use_kernels=False
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return name


def count_work(task: BenchTask) -> dict[str, float]:
    """Return the numbers of tokens and of scored tokens, and the operations that scoring cannot do without.

    2 per non-embedding parameter and token, 2 x hidden x vocabulary per scored token. Attention itself is not in it,
    nor what is read twice: the turns of a conversation are read once.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(task.folder))
    parameters = sum(weight.numel() for name, weight in model.base_model.named_parameters() if not _is_embedding(name))
    vocabulary, hidden = model.get_output_embeddings().weight.shape
    tokenizer = AutoTokenizer.from_pretrained(task.folder)
    pairs = [
        pair
        for pair in encode_chunk(tokenizer, task.exchanges(), "none", task.max_length)
        if not isinstance(pair, Skipped)
    ]
    sequences, _ = share([sequence for pair in pairs for sequence in (pair.direct, pair.conditioned)])
    tokens = sum(map(len, sequences))
    scored = sum(len(sequence.scored) for sequence in sequences)
    return {
        "tokens": tokens,
        "scored_tokens": scored,
        "operations": 2 * parameters * tokens + 2 * hidden * vocabulary * scored,
    }


def run_contenders(names: list[str], task: BenchTask, repeats: int) -> dict[str, list[tuple[float, Any, int]]]:
    """Return for each contender its runs as (seconds, result, peak memory in bytes); the first round only warms up."""
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    runs: dict[str, list[tuple[float, Any, int]]] = {name: [] for name in names}
    processes = []
    for name in names:
        ends[name], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(theirs, name, task), daemon=True))
        processes[-1].start()
        theirs.close()
        _receive(ends[name], name)
    for turn in range(repeats):
        for name in names:
            print(f"round {turn + 1} of {repeats}: {name}", file=sys.stderr)
            ends[name].send("run")
            runs[name].append(_receive(ends[name], name))
    for name in names:
        ends[name].send("stop")
    return runs


def summarize_runs(
    runs: dict[str, list[tuple[float, Any, int]]], work: dict[str, float], task: BenchTask
) -> dict[str, dict[str, Any]]:
    """Return the figures of every contender, by its name."""
    reference = runs["reference"][0][1]
    table: dict[str, dict[str, Any]] = {}
    for name, results in runs.items():
        if name.startswith("floor-"):
            rates = [rate for _, rate, _ in results]
            seconds = [work["operations"] / rate for rate in rates]
        else:
            seconds = [second for second, _, _ in results]
        typical = statistics.median(seconds)
        row = {
            "seconds": typical,
            "seconds_spread": [min(seconds), max(seconds)],
            "records_per_second": len(task.records) / typical,
            "scored_tokens_per_second": work["scored_tokens"] / typical,
            "gflops": work["operations"] / typical / 1e9,
        }
        if not name.startswith("floor-"):
            # In each round against the floor of the same round: the machine's speed drifts.
            floor = "bfloat16" if name in ("bfloat16", "mixed") and "floor-bfloat16" in runs else "float32"
            shares = [
                work["operations"] / second / rate
                for (second, _, _), (_, rate, _) in zip(results, runs[f"floor-{floor}"], strict=True)
            ]
            speedups = [
                other / second for (second, _, _), (other, _, _) in zip(results, runs["reference"], strict=True)
            ]
            row |= {"share_of_floor": statistics.median(shares), "speedup": statistics.median(speedups)}
            row |= {"peak_bytes": results[-1][2]} | compare_losses(results[0][1], reference, task)
        table[name] = row
    return table


def compare_losses(found: Losses, reference: Losses, task: BenchTask) -> dict[str, float]:
    """Return how far scores are from the reference: relative errors of IFD, Spearman's rank correlation, overlap."""
    ours = {index: conditioned - direct for index, direct, conditioned in found}
    theirs = {index: conditioned - direct for index, direct, conditioned in reference}
    if set(ours) != set(theirs):
        raise RuntimeError("the contenders scored different records")
    order = sorted(theirs)
    errors = sorted(abs(math.expm1(ours[index] - theirs[index])) for index in order)
    selected = _selected(ours, task)
    expected = _selected(theirs, task)
    return {
        "max_relative_error": errors[-1],
        "median_relative_error": statistics.median(errors),
        "spearman": float(spearmanr([ours[index] for index in order], [theirs[index] for index in order]).statistic),
        "overlap": len(selected & expected) / len(expected) if expected else 1.0,
    }


def format_table(table: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| | records/s | scored tokens/s | GFLOP/s | of floor | x reference | peak memory | max error of IFD | "
        "Spearman | same selected |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        slowest, fastest = (
            row["records_per_second"] * row["seconds"] / second for second in reversed(row["seconds_spread"])
        )
        cells = [
            name,
            f"{row['records_per_second']:.2f} ({slowest:.2f} to {fastest:.2f})",
            f"{row['scored_tokens_per_second']:.0f}",
            f"{row['gflops']:.0f}",
        ]
        if "speedup" in row:
            cells += [
                f"{row['share_of_floor']:.0%}",
                f"{row['speedup']:.2f}",
                f"{row['peak_bytes'] / 1e9:.2f} GB",
                f"{row['max_relative_error']:.1e}",
                f"{row['spearman']:.5f}",
                f"{row['overlap']:.0%}",
            ]
        else:
            cells += ["100%", "", "", "", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _selected(scores: dict[int, float], task: BenchTask) -> set[int]:
    # Comparing in log space: exp is monotonic.
    values = [scores.get(index, math.nan) for index in range(max(scores, default=-1) + 1)]
    limit = math.log(task.filter_threash)
    return set(select(values, limit, task.num_wanted).indices)


def _is_embedding(name: str) -> bool:
    return any(part in name for part in ("embed_tokens", "wte", "wpe"))


def _receive(connection: Connection, name: str) -> Any:
    try:
        return connection.recv()
    except EOFError:
        raise UserError(f"{name}: its process ended; its message is above") from None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--data_path", required=True, help="dataset (.json or .jsonl); its records are taken at even distances"
    )
    parser.add_argument(
        "--model_name_or_path",
        default="smollm2-135m",
        help=f"a model, as in step 1, or {GPT2_SHAPE}: GPT-2's shape with random weights, for its speed alone "
        "(default: %(default)s)",
    )
    parser.add_argument("--num_records", type=positive_int, default=64, help="records to score (default: %(default)s)")
    parser.add_argument("--repeats", type=positive_int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--max_length", type=positive_int, default=1024, help="tokens of prompt and response (default: %(default)s)"
    )
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=("float32", "bfloat16", "mixed"),
        metavar="DTYPE",
        help="ours, of float32, bfloat16, mixed (default: all that are fast on this processor)",
    )
    add_selection_flags(parser)
    return parser.parse_args(argv)


def usual_dtypes(has_talks: bool) -> list[str]:
    """Return the dtypes that are fast on this processor; conversations are not scored in mixed."""
    return ["float32", "bfloat16", *([] if has_talks else ["mixed"])] if has_fast_bfloat16() else ["float32"]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    args = parse_args(argv)
    os.environ["HF_HUB_OFFLINE"] = "1"  # every contender reads the same saved folder
    records = read_dataset(args.data_path)
    has_talks = check_records(records, args.data_path, {}).first_talk is not None
    records = [record for record in records if exchanges(record, {})]  # in some the assistant says nothing
    num_records = min(args.num_records, len(records))
    records = [records[index * len(records) // num_records] for index in range(num_records)]
    num_answers = sum(len(exchanges(record, {})) for record in records)
    dtypes = args.dtypes or usual_dtypes(has_talks)
    if has_talks and "mixed" in dtypes:
        raise UserError(
            f"--dtypes mixed: step 1 takes no conversations in it, and {args.data_path} has some; leave it out"
        )
    floors = [
        f"floor-{dtype}"
        for dtype in ("float32", "bfloat16")
        if dtype == "float32" or {"bfloat16", "mixed"} & set(dtypes)
    ]
    with tempfile.TemporaryDirectory(prefix="bench_") as folder:
        name = prepare_model(args.model_name_or_path, args.max_length, Path(folder))
        task = BenchTask(
            name,
            folder,
            records,
            args.max_length,
            wanted_number(args.sample_num, args.sample_rate, num_answers),
            float(args.filter_threash),
        )
        names = ["reference", *(["lm-eval"] if has_lm_eval() else []), *dtypes, *floors]
        runs = run_contenders(names, task, args.repeats)
        work = count_work(task)
    table = summarize_runs(runs, work, task)
    is_random = args.model_name_or_path == GPT2_SHAPE
    note = " (random weights: errors and overlap are those of a model that has learned nothing)" if is_random else ""
    say(
        f"{args.model_name_or_path}{note}, {num_records} records, {num_answers} answers, {work['tokens']:,} tokens, "
        f"{work['operations'] / 1e12:.1f} TFLOP, {os.cpu_count()} cores, medians of {args.repeats} "
        f"rounds\n\n{format_table(table)}\n"
    )
    say(
        json.dumps(
            {
                "model": args.model_name_or_path,
                "machine": platform.processor() or platform.machine(),
                **work,
                "contenders": table,
            }
        )
    )


if __name__ == "__main__":
    run(main)
