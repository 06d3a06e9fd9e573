"""The driver of many workers: order, bounds, and what becomes of the chunks of a worker that is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import chunk_driver as chunk_driver
from cluster.chunk_driver import HELD_PER_WORKER, MOST_LOSSES, ChunkDriver
from cluster.worker_pool import CHUNKS_PER_WORKER, Done, Event, Lost, Placed, Ready, Task
from scoring.score_file import META_FORMAT, encode_lines, skipped_line
from scoring.score_journal import ScoreJournal
from shared.cli import UserError
from shared.files import encode_json

PER_CHUNK = 4
VERSIONS = {"torch": "1"}


class ScriptedPool:
    """Workers that are done in the order that the test wants.

    It says which of the tasks under way is next, or who is lost.
    """

    def __init__(self, choose: Callable[[list[tuple[int, Task]]], int | Lost]) -> None:
        self.choose = choose
        self.under_way: list[tuple[int, Task]] = []
        self.handed_out: list[tuple[int, int]] = []
        self.events: list[Event] = []
        self.most_under_way = 0

    def start(self, worker: int) -> None:
        self.events += [Placed(worker, f"place {worker}"), Ready(worker, 0.0)]

    def hand_out(self, worker: int, task: Task) -> None:
        assert sum(1 for other, _ in self.under_way if other == worker) < CHUNKS_PER_WORKER
        assert [record["n"] for record in task.records] == list(range(task.start, task.start + len(task.records)))
        self.under_way.append((worker, task))
        self.handed_out.append((worker, task.number))
        self.most_under_way = max(self.most_under_way, task.number)

    def wait(self, seconds: float) -> list[Event]:
        if self.events:
            events, self.events = self.events, []
            return events
        event = self.choose(self.under_way)
        if isinstance(event, Lost):
            self.under_way = [entry for entry in self.under_way if entry[0] != event.worker]
            return [event]
        worker, task = self.under_way.pop(event)
        lines = encode_lines([skipped_line(f"n{record['n']}") for record in task.records])
        return [Done(worker, task.number, lines, 1.0)]


def run(tmp_path: Path, pool: ScriptedPool, num_workers: int, num_records: int, num_done: int = 0) -> ChunkDriver:
    """Score records n = 0, 1, ...; check that the file holds each once, in order."""
    records = [{"n": number} for number in range(num_records)]
    meta = {
        "format": META_FORMAT,
        "start_idx": 0,
        "end_idx": num_records,
        "records_per_window": PER_CHUNK,
        "model_fingerprint": "",
        "dtype": "",
        "max_length": 1,
        "prompt": "",
        "data_path": "",
        "data_sha256": "",
        "num_records": num_records,
        "versions": VERSIONS,
    }
    path = tmp_path / "s.jsonl"
    if num_done:
        path.write_bytes(encode_lines([skipped_line(f"n{number}") for number in range(num_done)]))
        Path(f"{path}.meta.json").write_bytes(encode_json(meta))
    with ScoreJournal(str(path), meta) as journal:
        driver = ChunkDriver(journal, records, pool, num_workers)
        driver.run()
    assert path.read_bytes() == encode_lines([skipped_line(f"n{number}") for number in range(num_records)])
    return driver


@pytest.mark.parametrize("num_workers", [1, 2, 5])
@pytest.mark.parametrize("place", [0, -1])
def test_lines_are_in_order_whichever_chunk_is_done_first(tmp_path: Path, num_workers: int, place: int) -> None:
    driver = run(tmp_path, ScriptedPool(lambda under_way: place % len(under_way)), num_workers, 103)
    assert sum(worker.num_records for worker in driver.workers) == 103


def test_driver_goes_on_where_an_earlier_run_stopped(tmp_path: Path) -> None:
    pool = ScriptedPool(lambda under_way: -1)
    run(tmp_path, pool, 2, 103, num_done=3 * PER_CHUNK)
    assert min(number for _, number in pool.handed_out) == 3


def test_chunks_are_held_back_up_to_a_bound_while_one_is_not_done(tmp_path: Path) -> None:
    # The last of the chunks under way is done first, until nothing but the first chunk is.
    pool = ScriptedPool(lambda under_way: len(under_way) - 1)
    run(tmp_path, pool, 2, 400 * PER_CHUNK)
    first_done_at = pool.handed_out.index(max(pool.handed_out[: HELD_PER_WORKER * 2], key=lambda entry: entry[1]))
    assert pool.handed_out[first_done_at][1] == HELD_PER_WORKER * 2 - 1


def test_chunks_of_a_lost_worker_go_out_next_and_are_written_once(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    losses = [Lost(0, "killed")]
    pool = ScriptedPool(lambda under_way: losses.pop() if losses and len(under_way) == 4 else 0)
    driver = run(tmp_path, pool, 2, 103)
    assert driver.num_redone == CHUNKS_PER_WORKER
    assert [number for _, number in pool.handed_out].count(0) == 2
    lost = (
        "worker 0 (place 0) is lost: killed; scoring again chunk 0 (records 0 to 3), chunk 2 (records 8 to 11); "
        "another worker is started"
    )
    assert capsys.readouterr().err.splitlines() == [lost]
    # Nothing new goes out before what was lost.
    again = [number for _, number in pool.handed_out[4:]]
    assert again[0] == 0 or again[1] == 0


def test_no_worker_holds_a_second_chunk_that_an_idle_one_could_begin(tmp_path: Path) -> None:
    pool = ScriptedPool(lambda under_way: 0)
    run(tmp_path, pool, 3, 4 * PER_CHUNK)
    # Four chunks, three workers: each begins one, and only one is left, for whoever is done first.
    assert [worker for worker, _ in pool.handed_out[:3]] == [0, 1, 2]
    assert len(pool.handed_out) == 4


def test_chunk_that_kills_every_worker_ends_the_run(tmp_path: Path) -> None:
    def choose(under_way: list[tuple[int, Task]]) -> int | Lost:
        worker, task = under_way[0]
        return Lost(worker, "out of memory") if task.number == 3 else 0

    pool = ScriptedPool(choose)
    with pytest.raises(
        UserError,
        match=rf"{MOST_LOSSES} workers have died on chunk 3 \(records 12 to 15\), the last by: out of memory",
    ):
        run(tmp_path, pool, 1, 103)


def test_cluster_without_a_place_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPlace(ScriptedPool):
        def start(self, worker: int) -> None:
            pass

        def wait(self, seconds: float) -> list[Event]:
            return []

    monkeypatch.setattr(chunk_driver, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(UserError, match="no worker has found a place in the cluster for 0 s"):
        run(tmp_path, NoPlace(lambda under_way: 0), 1, 103)
