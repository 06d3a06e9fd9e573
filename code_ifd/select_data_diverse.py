"""Superfiltering.D: of the records with the best IFD, keep a few that stand for
all of them.

Reads a scored dataset (step 2, or the original tool). Takes the best by IFD,
embeds their text with a sentence model, and chooses among them by facility
location: the chosen ones have the highest sum, over all candidates, of the
similarity exp(-distance / dimension) to the nearest chosen one. Writes the
chosen records in the order of choice, and keeps the embeddings beside the
dataset for the next run.

python code_ifd/select_data_diverse.py --json_data_path outputs/scored.json \\
    --json_save_path outputs/diverse.json --emb_model all-minilm-l6-v2
"""

import argparse
from collections.abc import Sequence

from diversity.candidates import candidates_of, read_texts
from diversity.embedding_cache import embeddings_of
from diversity.flags import parse_args
from records.dataset import Dataset, check_name
from records.ranked_writer import write_selected
from selection.flags import number_of
from selection.ifd import Selection
from selection.scored_dataset import read_scores
from shared.cli import UserError, run, say
from shared.files import refuse_overwriting


def check_enough(num_wanted: int, num_candidates: int, args: argparse.Namespace, kind: str = "candidates") -> None:
    """Raise UserError when there are fewer candidates than are to be chosen."""
    if num_wanted > num_candidates:
        flag = f"--fla_num {num_wanted}" if args.fla_num else f"--fla_rate {args.fla_rate} ({num_wanted} records)"
        raise UserError(f"{flag}: there are only {num_candidates} {kind}; choose fewer, or allow more candidates")


def report(
    args: argparse.Namespace,
    num_records: int,
    candidates: Selection,
    num_cut: int,
    removed: tuple[int, int],
    coverage: list[str],
) -> None:
    """Print where every record went, and how well the chosen ones stand for the candidates."""
    from diversity.coverage import count_line

    num_candidates = len(candidates.indices)
    lines = [
        count_line("records", num_records),
        count_line("  no score", candidates.num_skipped, "skipped"),
        count_line("  at or over the threshold", candidates.num_at_or_over, "skipped"),
        count_line("  below the cut", candidates.num_below_cut, "skipped"),
        count_line("candidates", num_candidates, f"embedded: {args.emb_type}"),
        count_line(f"  longer than {args.max_length} tokens", num_cut, "cut"),
    ]
    if args.dedup is not None:
        lines.append(count_line("  the text of a better one", removed[0], "removed"))
        lines.append(count_line(f"  cosine to a better one >= {args.dedup:g}", removed[1], "removed"))
        lines.append(count_line("  left", num_candidates - sum(removed)))
    say("\n".join([*lines, *coverage]))


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(__doc__, argv)
    dataset = Dataset(args.json_data_path)
    refuse_overwriting(args.json_save_path, *dataset.files)
    # What would only show after the embedding.
    check_name(args.json_save_path, dataset)
    scores = read_scores(dataset, args.key_name)
    num_wanted = number_of(args.fla_num, args.fla_rate, len(scores), "fla")
    candidates = candidates_of(scores, args)
    check_enough(num_wanted, len(candidates.indices), args)
    texts = read_texts(dataset, candidates.indices, args)
    vectors, num_cut = embeddings_of(texts, args)

    # torch takes seconds to import: mistakes should not wait for it.
    from diversity.coverage import coverage_lines
    from diversity.facility_location import choose_points
    from diversity.near_duplicates import remove_duplicates

    indices, removed = candidates.indices, (0, 0)
    if args.dedup is not None:
        distinct = remove_duplicates(texts, vectors, args.dedup)
        indices, vectors, removed = (
            indices[distinct.places],
            vectors[distinct.places],
            (distinct.num_same, distinct.num_near),
        )
        check_enough(num_wanted, len(indices), args, f"candidates left by --dedup {args.dedup:g}")
    chosen = choose_points(vectors, num_wanted, args.memory_gb * 1e9)
    write_selected(dataset, args.json_save_path, indices[chosen.indices], args.keep_order)
    report(args, len(scores), candidates, num_cut, removed, coverage_lines(vectors, chosen.indices, args.seed))
    say(f"\n{num_wanted} records -> {args.json_save_path}")


if __name__ == "__main__":
    run(main)
