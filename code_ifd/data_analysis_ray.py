"""Step 1 on several GPUs or machines: score every record, with workers that Ray runs.

Reads, writes and resumes what data_analysis.py does, with the same flags and
the same bytes; a run begun with either is finished with the other. This
process reads the dataset, hands out chunks of records and writes the scores;
each worker is a process with a model of its own, anywhere in the cluster.

python code_ifd/data_analysis_ray.py --data_path data/sample_alpaca.json \\
    --save_path outputs/scores.jsonl --model_name_or_path smollm2-135m
"""

from shared.start import run

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cluster.chunk_driver import ChunkDriver, Worker, log
from cluster.ray_cluster import Layout, choose_layout, ray_cluster
from scoring.flags import add_scoring_flags, scoring_settings
from scoring.run import ScoringRun, prepare_run, report
from scoring.score_journal import ScoreJournal
from shared.cli import Interrupted, UserError, new_parser, positive_int


@dataclass(frozen=True)
class ClusterSettings:
    """Where the workers run and what each of them takes, as the flags of the same names say."""

    address: str | None
    num_workers: int | None
    cpus_per_worker: int | None
    gpus_per_worker: float | None


def score_missing_on_workers(journal: ScoreJournal, scoring: ScoringRun, cluster: ClusterSettings) -> None:
    """Score the records that the journal does not have yet. Raises Interrupted on Ctrl-C."""
    started = time.perf_counter()
    num_before = journal.num_done
    settings = scoring.settings
    try:
        with ray_cluster(cluster.address) as nodes:
            # Ray is there by now; ray_workers would be of no use without.
            from cluster.ray_workers import RayPool

            layout = choose_layout(
                nodes, cluster.num_workers, cluster.cpus_per_worker, cluster.gpus_per_worker, settings.device
            )
            if layout.gpus_per_worker and settings.device == "auto":
                settings = replace(
                    settings, device="cuda"
                )  # a worker that finds none must say so, not be fifty times slower
            log(describe_start(journal, layout, len(nodes)))
            joined = time.perf_counter()
            pool = RayPool(
                settings, scoring.source, journal.meta["versions"], layout.cpus_per_worker, layout.gpus_per_worker
            )
            driver = ChunkDriver(journal, scoring.records, pool, layout.num_workers)
            driver.run()
            for line in describe_workers(driver.workers, joined - started, joined, time.perf_counter()):
                log(line)
    except KeyboardInterrupt:
        raise Interrupted(journal.progress()) from None
    if driver.num_redone:
        log(
            f"{driver.num_redone} chunks of lost workers were scored again; "
            f"all {journal.num_done - num_before} new records are written once"
        )


def describe_start(journal: ScoreJournal, layout: Layout, num_nodes: int) -> str:
    """Return the line that says what runs where, and what an earlier run has left to do."""
    gpus = f" and {layout.gpus_per_worker:g} GPUs" if layout.gpus_per_worker else ""
    line = f"{layout.num_workers} workers of {layout.cpus_per_worker} CPUs{gpus} on {num_nodes} nodes"
    if journal.num_done:
        first = journal.meta["start_idx"] + journal.num_done
        line += (
            f"; {journal.num_done} records are done, scoring goes on at record {first}: "
            "chunks that were under way are scored again"
        )
    return line


def describe_workers(workers: Sequence[Worker], ray_seconds: float, joined: float, ended: float) -> list[str]:
    """Return lines on how long the start took, what each worker did, and how much of their time it scored."""
    ready = [worker for worker in workers if worker.ready_at is not None]
    ready_times = [worker.ready_at for worker in workers if worker.ready_at is not None]
    first, last = min(ready_times), max(ready_times)
    loads = max(worker.load_seconds for worker in ready)
    lines = [
        f"start-up: Ray {ray_seconds:.1f} s, first worker ready after another {first - joined:.1f} s, "
        f"last {last - joined:.1f} s (imports and model: up to {loads:.1f} s)"
    ]
    busy = available = 0.0
    for worker in workers:
        if worker.ready_at is None:
            state = "lost" if worker.lost_at else "not yet ready when all was done"
            lines.append(f"worker {worker.number} ({worker.name}): {state}")
            continue
        seconds = (worker.lost_at or ended) - worker.ready_at
        busy, available = busy + worker.busy_seconds, available + seconds
        rate = f"{worker.num_records / worker.busy_seconds:.2f} records/s" if worker.busy_seconds else "nothing scored"
        state = "lost" if worker.lost_at else f"scoring for {worker.busy_seconds / seconds:.1%} of its time"
        lines.append(f"worker {worker.number} ({worker.name}): {worker.num_records} records, {rate}, {state}")
    num_records = sum(worker.num_records for worker in ready)
    lines.append(
        f"efficiency {busy / available:.1%}: {num_records / available:.2f} records/s of each worker, "
        f"from its model loaded to the end, and {num_records / busy:.2f} while it scores"
    )
    return lines


def gpu_share(text: str) -> float:
    """Parse a number of GPUs: whole, or a part of one. argparse reports the rest."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (0 <= value < 1 or (value.is_integer() and value >= 1)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number of GPUs nor a part of one such as 0.5")
    return value


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = new_parser(__doc__)
    add_scoring_flags(parser)
    group = parser.add_argument_group("where it runs")
    group.add_argument(
        "--address",
        help="Ray cluster to join: host:port, or auto for the one on this machine (default: start one here)",
    )
    group.add_argument(
        "--num_workers", type=positive_int, help="processes with a model each (default: as many as there is room for)"
    )
    group.add_argument(
        "--cpus_per_worker",
        type=positive_int,
        help="CPUs, and threads, of a worker (default: all of the smallest node; with GPUs, a node's CPUs shared out "
        "among them)",
    )
    group.add_argument(
        "--gpus_per_worker",
        type=gpu_share,
        help="GPUs of a worker; 0.5 lets two share one (default: 1 where there are any, else 0)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Check the dataset, score what the score file lacks on the workers, say what it holds."""
    args = parse_args(argv)
    if args.dtype == "mixed":
        raise UserError(
            "--dtype mixed: chooses in rounds what to score again, which workers cannot share; "
            "choose bfloat16 or float32, or data_analysis.py"
        )
    if args.address and args.address.startswith("ray://"):
        raise UserError(
            f"--address {args.address}: Ray Client is not supported; "
            "run this on a node of the cluster, with --address auto"
        )
    scoring = prepare_run(scoring_settings(vars(args)))
    cluster = ClusterSettings(args.address, args.num_workers, args.cpus_per_worker, args.gpus_per_worker)
    with ScoreJournal(scoring.settings.save_path, scoring.meta) as journal:
        num_before, started = journal.num_done, time.perf_counter()
        if journal.num_done < journal.num_records:
            score_missing_on_workers(journal, scoring, cluster)
        num_new = journal.num_done - num_before
    report(scoring.settings, num_new, time.perf_counter() - started)


if __name__ == "__main__":
    run(main)
