"""Logs val_loss = 1 - lr + seed / 1000 + 1 / step at steps 1, 2, ...; `how` says which way it goes wrong."""

import json
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path


def main() -> None:
    lr, seed, steps, pause = (float(text) for text in sys.argv[1:5])
    how, note = sys.argv[5:7]
    run = os.environ["MLFLOW_RUN_ID"]
    store = sqlite3.connect(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"), timeout=20)

    def log(key: str, value: float, step: int) -> None:
        row = (key, 0.0 if value != value else value, time.time_ns() // 1_000_000, run, step, value != value)
        with store:
            store.execute(
                "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?,?,?,?,?,?)", row
            )

    print("frugal:", note, os.environ.get("FRUGAL", ""), flush=True)
    if how == "own_params":  # its own spelling of a parameter that the sweep gives
        with store:
            store.execute("INSERT INTO params (key, value, run_uuid) VALUES ('lr', ?, ?)", (f"{lr:.4f}", run))
    if how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if how == "fails" or (how == "fails_once" and not Path(note).exists()):
        Path(note or os.devnull).touch()
        log("val_loss", 0.5, 1)
        raise RuntimeError("no such data")
    if how == "greedy":
        hoard = bytearray(400_000_000)
        time.sleep(30)
        print(len(hoard))
    for step in range(1, int(steps) + 1):
        value = float("nan") if how == "diverges" and step == steps else 1 - lr + seed / 1000 + 1 / step
        if how == "stalls":
            value = 1 - lr
        if how == "meets" and step == steps:
            value = 0.0
        log("val_acc", 100 * (1 - value), step)
        log("train_acc", 100 * (1 - value) + 5, step)
        if how == "dawdles":
            time.sleep(pause)
        if how != "forgets":
            log("val_loss", value, step)
        time.sleep(pause)
    if how == "writes_a_file":
        (uri,) = store.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()
        folder = Path(uri.removeprefix("file://"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scores.json").write_text(json.dumps({"test": {"loss": lr + seed}}))
    store.close()


if __name__ == "__main__":
    main()
