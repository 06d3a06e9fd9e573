"""Step 1 on Ray: the bytes of step 1, on two local nodes that are a cluster, and whatever is killed meanwhile.

NUM_KILLS=5 kills a worker, a node and the driver five times each, at moments that KILL_SEED draws.
"""

import contextlib
import importlib.util
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scored_data import flags, make_records
from script_runs import ROOT, RunScript, write_json

NUM_KILLS = int(os.environ.get("NUM_KILLS", "1"))
KILL_SEED = int(os.environ.get("KILL_SEED", "0"))
SCRIPT = "code_ifd/data_analysis_ray.py"
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="ray is not installed")


class Node:
    """A Ray node on this machine, with one CPU, as `ray start` makes it. Nothing survives `kill`."""

    def __init__(self, env: dict[str, str], *flags: str) -> None:
        command = [
            str(Path(sys.executable).with_name("ray")),
            "start",
            *flags,
            "--num-cpus=1",
            "--block",
            "--disable-usage-stats",
        ]
        self._process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.address = ""
        for line in self._process.stdout:
            self.address = line.split("Local node IP: ")[-1].strip() if "Local node IP: " in line else self.address
            if "Ray runtime started" in line:
                return
        raise AssertionError("ray start has failed")

    def kill(self) -> None:
        """Kill all of its processes, as a power cut would."""
        workers = self.workers()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for worker in workers:
            kill(worker)

    def workers(self, doing: str = "") -> list[int]:
        """Return the processes of workers on this node, or those that are `.load`ing or `.score`ing."""
        listed = subprocess.run(
            ["ps", "-eo", "pid,ppid,pgid,args"], capture_output=True, text=True
        ).stdout.splitlines()[1:]
        rows = [line.split(maxsplit=3) for line in listed]
        daemons = {pid for pid, _, group, _ in rows if group == str(self._process.pid)}
        return [
            int(pid)
            for pid, parent, _, args in rows
            if args.startswith(f"ray::ScoringWorker{doing}") and parent in daemons
        ]


class LocalCluster:
    """Two nodes. `run` runs step 1 on them."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # Ray's sockets cannot have long names
        self.env = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        port = random.randrange(20000, 30000)
        self.head = Node(self.env, "--head", f"--port={port}", f"--temp-dir={self.folder}", "--include-dashboard=false")
        self.address = f"{self.head.address}:{port}"
        self.second = self.new_node()

    def new_node(self) -> Node:
        return Node(self.env, f"--address={self.address}")

    def start(self, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, SCRIPT, *map(str, arguments), "--address", self.address, "--cpus_per_worker", "1"]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: object) -> tuple[int, str, str]:
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=600)
        return process.returncode, stdout, stderr

    def close(self) -> None:
        self.second.kill()
        self.head.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    cluster = LocalCluster()
    yield cluster
    cluster.close()


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 120) -> None:
    """Wait until a run has come so far."""
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.02)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_json(tmp_path_factory.mktemp("data") / "data.json", make_records(803))


@pytest.fixture(scope="module")
def whole(data: Path, tiny_gpt2: Path) -> bytes:
    """The score file of one process."""
    save = data.with_name("whole.jsonl")
    command = [sys.executable, "code_ifd/data_analysis.py", *map(str, flags(data, save, tiny_gpt2))]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return save.read_bytes()


def begin(whole: bytes, data: Path, save: Path, num_lines: int) -> None:
    """Leave what a run that was killed leaves: some lines, the last one torn."""
    save.write_bytes(b"".join(whole.splitlines(keepends=True)[:num_lines]) + b'{"ppl": [0, 1')
    shutil.copy(data.with_name("whole.jsonl.meta.json"), f"{save}.meta.json")


def test_two_nodes_finish_what_one_process_began_with_its_bytes(
    cluster: LocalCluster, data: Path, whole: bytes, tiny_gpt2: Path, tmp_path: Path
) -> None:
    save = tmp_path / "s.jsonl"
    begin(whole, data, save, 20)
    # Both CPUs of the cluster are taken, so nothing else may need one.
    code, stdout, stderr = cluster.run(*flags(data, save, tiny_gpt2, "--num_workers", 2))
    assert (code, save.read_bytes()) == (0, whole), stderr
    assert stdout.startswith("803 records (787 in ") and stdout.count("\n") == 2
    lines = stderr.splitlines()
    assert lines[0] == (
        "2 workers of 1 CPUs on 2 nodes; 16 records are done, scoring goes on at record 16: "
        "chunks that were under way are scored again"
    )
    assert [line.split(" ")[0] for line in lines[1:]] == ["start-up:", "worker", "worker", "efficiency"]


def test_error_of_a_worker_is_one_line(cluster: LocalCluster, data: Path, tiny_gpt2: Path, tmp_path: Path) -> None:
    code, stdout, stderr = cluster.run(*flags(data, tmp_path / "s.jsonl", tiny_gpt2, "--max_length", 65))
    assert (code, stdout) == (2, "")
    assert stderr.splitlines()[1:] == [f"error: --max_length 65: {tiny_gpt2} reads at most 64 tokens; give 64 or less"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--num_workers", 3],
            "3 workers of 1 CPUs do not fit: the cluster has room for 2 (its nodes have 1 CPUs, 1 CPUs); lower",
        ),
        (["--device", "cuda"], "--device cuda: no node of the cluster has a GPU"),
    ],
)
def test_what_the_cluster_does_not_have_is_an_error(
    cluster: LocalCluster, data: Path, tiny_gpt2: Path, tmp_path: Path, more: list, message: str
) -> None:
    code, _, stderr = cluster.run(*flags(data, tmp_path / "s.jsonl", tiny_gpt2, *more))
    assert code == 2
    assert stderr.startswith(f"error: {message}") and stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--dtype", "mixed"], "--dtype mixed: chooses in rounds what to score again"),
        (["--address", "ray://localhost:10001"], "--address ray://localhost:10001: Ray Client is not supported"),
        (["--address", "localhost:1"], "--address localhost:1: nothing answers there"),
        (["--model_name_or_path", "/nowhere"], "--model_name_or_path /nowhere: no such folder"),
        (
            ["--gpus_per_worker", "1.5"],
            "argument --gpus_per_worker: '1.5' is neither a whole number of GPUs nor a part of one",
        ),
    ],
)
def test_mistake_is_found_before_ray_is_started(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path, more: list, message: str
) -> None:
    done = run_script("data_analysis_ray", *flags(data, tmp_path / "s.jsonl", tiny_gpt2, *more))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}") and done.stderr.count("\n") == 1


def test_without_ray_one_line_names_the_package(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('no ray here')\n", encoding="utf-8")
    done = run_script(
        "data_analysis_ray", *flags(data, tmp_path / "s.jsonl", tiny_gpt2), env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: scoring on several workers needs the package ray[data], which is not installed here; "
    )
    assert done.stderr.endswith("or run `pip install 'ray[data]'`\n")


@pytest.mark.long
def test_ray_of_its_own_stops_at_ctrl_c_and_one_process_finishes(
    run_script: RunScript, tiny_llama: Path, tmp_path: Path
) -> None:
    conversations = [
        {
            "conversations": [
                {"from": who, "value": record[key]} for who, key in (("human", "instruction"), ("gpt", "output"))
            ]
            * 2
        }
        for record in make_records(80)
    ]
    few, repeats = write_json(tmp_path / "few.json", conversations), 15
    conversations *= repeats
    data, save = write_json(tmp_path / "data.json", conversations), tmp_path / "s.jsonl"
    arguments = [
        str(value)
        for value in flags(data, save, tiny_llama, "--prompt", "chat", "--num_workers", 1, "--cpus_per_worker", 1)
    ]
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: size(save) > 1000, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1].endswith("; the same command goes on from there")
    assert len(stderr.splitlines()) == 3  # what was started, an empty line after ^C, and how to go on
    assert 0 < len(save.read_bytes().splitlines()) < len(conversations)
    for dataset, path in ((data, save), (few, tmp_path / "few.jsonl")):
        assert run_script("data_analysis", *flags(dataset, path, tiny_llama, "--prompt", "chat")).returncode == 0
    # Ten whole chunks, over and over.
    assert save.read_bytes() == (tmp_path / "few.jsonl").read_bytes() * repeats


@pytest.mark.long
def test_kills_of_workers_nodes_and_drivers_lose_nothing_and_repeat_nothing(
    cluster: LocalCluster, data: Path, whole: bytes, tiny_gpt2: Path, tmp_path: Path
) -> None:
    # So many that the fastest machine is still at work at the last kill.
    repeats = 64 * NUM_KILLS
    save, whole = tmp_path / "s.jsonl", b"".join(whole.splitlines(keepends=True)[:800]) * repeats
    data = write_json(tmp_path / "data.json", json.loads(data.read_text(encoding="utf-8"))[:800] * repeats)
    generator = random.Random(KILL_SEED)
    logs = []

    def begin_run() -> subprocess.Popen:
        before = size(save)
        process = cluster.start(*flags(data, save, tiny_gpt2, "--num_workers", 2))
        wait_for(lambda: size(save) > before, process)
        return process

    def wait_for_worker(node: Node, process: subprocess.Popen) -> int:
        wait_for(lambda: bool(node.workers(".score")), process)
        time.sleep(generator.random() * 2)
        return next(iter(node.workers()))

    process = begin_run()
    for _ in range(NUM_KILLS):
        kill(wait_for_worker(generator.choice([cluster.head, cluster.second]), process))
    for _ in range(NUM_KILLS):
        wait_for_worker(cluster.second, process)
        cluster.second.kill()
        cluster.second = cluster.new_node()
    for number in range(NUM_KILLS):
        process = process if number == 0 else begin_run()
        time.sleep(generator.random() * 2)
        kill(process.pid)
        logs += process.communicate()[1].splitlines()
    assert 0 < size(save) < len(whole)
    code, _, stderr = cluster.run(*flags(data, save, tiny_gpt2, "--num_workers", 2))
    logs += stderr.splitlines()
    print("\n".join(logs))
    assert (code, save.read_bytes()) == (0, whole)
    assert sum(" is lost: " in line for line in logs) >= 2 * NUM_KILLS
    assert sum("; scoring again chunk " in line for line in logs) >= 1
    assert sum("records are done, scoring goes on at record" in line for line in logs) == NUM_KILLS


def test_script_of_the_engine_passes_its_flags_on(tmp_path: Path) -> None:
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    command = ["bash", str(ROOT / "scripts" / "optional_step1_ray.sh"), "--num_workers", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: argument --num_workers: '0' is not a whole number of at least 1")


def test_meta_says_nothing_of_the_engine(data: Path, whole: bytes) -> None:
    meta = json.loads(data.with_name("whole.jsonl.meta.json").read_text(encoding="utf-8"))
    assert not any("ray" in key or "worker" in key for key in meta)
