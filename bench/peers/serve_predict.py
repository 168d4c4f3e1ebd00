"""What the peers' prediction scripts share: their arguments, the sequences, the choice of the batch, and the protocol.

    python X_predict.py --model cnn-deep --threads 2 --sequences 100000 --serve     makes one-hot sequences in memory, takes
        the fastest of the batches 100, 500 and 2000, prints {"ready": true}; then for every line on stdin predicts all
        sequences once and prints a JSON line whose median_ms are milliseconds for a thousand
"""
import argparse
import json
import sys
import time

import numpy as np

from zoo import ZOO

BATCHES = 100, 500, 2000


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn-deep", choices=ZOO)
    parser.add_argument("--activation", default="exponential_unclipped")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--trials", type=int, default=1, help="1: there is no other way")
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--serve", action="store_true")
    return parser.parse_args()


def sequences(args):
    """(n,L,4) float32; the number is made a multiple of every batch, so that none is compiled for a rest."""
    length, bases = ZOO[args.model].length, np.random.default_rng(1)
    count = -(-args.sequences // max(BATCHES)) * max(BATCHES)
    x = np.zeros((count, length, 4), np.float32)
    for part in np.array_split(x, 50):
        part[:] = np.eye(4, dtype=np.float32)[bases.integers(0, 4, part.shape[:2])]
    return x


def run(args, name, version, predict, x):
    """predict(x, batch) gives the logits of all of x, by batches, as an array of the host."""
    seconds = {}
    for batch in BATCHES:
        part = x[:2 * max(BATCHES)]
        predict(part, batch)
        start = time.perf_counter()
        predict(part, batch)
        seconds[batch] = time.perf_counter() - start
    batch = min(seconds, key=seconds.get)
    if args.serve:
        print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin if args.serve else range(3):
        start = time.perf_counter()
        predict(x, batch)
        taken = time.perf_counter() - start
        print(json.dumps({"peer": name, "version": version, "model": args.model, "threads": args.threads, "batch": batch,
                          "sequences": len(x), "median_ms": round(1e6 * taken / len(x), 4)}), flush=True)
