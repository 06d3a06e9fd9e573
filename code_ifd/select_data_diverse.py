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

from shared.start import run

from collections.abc import Sequence

from diversity.candidates import candidate_rule, candidates_of, count_line, read_texts
from diversity.embedding_cache import EmbeddingSettings, TextEmbeddings, embeddings_of
from diversity.flags import parse_args
from records.dataset import Dataset
from records.outputs import check_output
from records.ranked_writer import write_selected
from selection.flags import number_of
from selection.ifd import Selection
from selection.scored_dataset import read_scores
from shared.cli import UserError, say


def check_enough(num_wanted: int, num_candidates: int, flag: str, kind: str = "candidates") -> None:
    """Raise UserError, which names the flag, when there are fewer candidates than are to be chosen."""
    if num_wanted > num_candidates:
        raise UserError(f"{flag}: there are only {num_candidates} {kind}; choose fewer, or allow more candidates")


def count_lines(num_records: int, candidates: Selection, emb_type: str, embedded: TextEmbeddings) -> list[str]:
    """Return the lines that say where every record went."""
    return [
        count_line("records", num_records),
        count_line("  no score", candidates.num_skipped, "skipped"),
        count_line("  at or over the threshold", candidates.num_at_or_over, "skipped"),
        count_line("  below the cut", candidates.num_below_cut, "skipped"),
        count_line("candidates", len(candidates.indices), f"embedded: {emb_type}"),
        count_line(f"  longer than {embedded.max_length} tokens", embedded.num_cut, "cut"),
    ]


def duplicate_lines(num_same: int, num_near: int, num_left: int, cosine: float) -> list[str]:
    """Return the lines that say how many candidates --dedup has removed."""
    return [
        count_line("  the text of a better one", num_same, "removed"),
        count_line(f"  cosine to a better one >= {cosine:g}", num_near, "removed"),
        count_line("  left", num_left),
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the scores, embed the candidates, choose among them, write the chosen, say how well they cover."""
    args = parse_args(__doc__, argv)
    rule = candidate_rule(args.ifd_lower, args.ifd_lupper, args.ifd_num, args.ifd_rate, args.filter_threash)
    settings = EmbeddingSettings(
        args.emb_model, args.revision, args.max_length, args.batch_size, args.device, args.trust_remote_code
    )
    dataset = Dataset(args.json_data_path)
    # What would only show after the embedding.
    check_output(args.json_save_path, dataset, args.overwrite)
    scores = read_scores(dataset, args.key_name)
    num_wanted, flag = args.fla_num, f"--fla_num {args.fla_num}"
    if args.fla_rate is not None:
        num_wanted = number_of(None, args.fla_rate, len(scores), "fla")
        flag = f"--fla_rate {args.fla_rate} ({num_wanted} records)"
    candidates = candidates_of(scores, rule, args.json_data_path, args.key_name)
    check_enough(num_wanted, len(candidates.indices), flag)
    texts = read_texts(dataset, candidates.indices, args.emb_type, args.prompt, args.fields)
    embedded = embeddings_of(texts, settings, args.json_data_path, args.json_save_path)
    vectors = embedded.vectors
    lines = count_lines(len(scores), candidates, args.emb_type, embedded)

    # torch takes seconds to import: mistakes should not wait for it.
    from diversity.coverage import coverage_lines
    from diversity.facility_location import choose_points
    from diversity.near_duplicates import remove_duplicates

    indices = candidates.indices
    if args.dedup is not None:
        distinct = remove_duplicates(texts, vectors, args.dedup)
        indices, vectors = indices[distinct.indices], vectors[distinct.indices]
        lines += duplicate_lines(distinct.num_same, distinct.num_near, len(indices), args.dedup)
        check_enough(num_wanted, len(indices), flag, f"candidates left by --dedup {args.dedup:g}")
    chosen = choose_points(vectors, num_wanted, args.memory_gb * 1e9)
    write_selected(dataset, args.json_save_path, indices[chosen.indices], args.keep_order)
    say("\n".join([*lines, *coverage_lines(vectors, chosen.indices, args.seed)]))
    say(f"\n{num_wanted} records -> {args.json_save_path}")


if __name__ == "__main__":
    run(main)
