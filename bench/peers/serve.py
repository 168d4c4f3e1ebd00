"""What the peers' timing scripts share: their arguments, the protocol with the bench, and the check against PyTorch.

    python X_train_step.py --model cnn-deep --threads 2 --seconds 5 --repeat 3   times, prints a JSON line each
    python X_train_step.py --model cnn-deep --threads 2 --steps 20 --serve       warms up, prints {"ready": true}; then
        for every line on stdin one round of --steps steps and its JSON line; ends with stdin
    python torch_train_step.py --model cnn-deep --no-dropout --write-check F.npz   weights, a batch, losses of 3 steps
    python X_train_step.py --model cnn-deep --no-dropout --check F.npz             the same losses, or exit status 1

A system gives a class Step(args): calling it does one step and returns the loss (a number, or an array over its trials);
step.set(parameters, x, y) puts weights (Keras' layout, in order) and a batch in place.
"""
import argparse
import json
import statistics
import sys
import time

import numpy as np

from zoo import ZOO


def arguments(description, **defaults):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, choices=ZOO)
    parser.add_argument("--activation", default="exponential_unclipped")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--core", type=int, default=0, help="the first it may run on, for systems that want to be told")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20, help="steps of a round of --serve")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--trials", type=int, default=1, help="trained together in this process, where a system can")
    parser.add_argument("--no-dropout", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check")
    parser.add_argument("--write-check")
    return parser


def one_hot_batch(args):
    """x (N,L,4) and y (N,classes), float32."""
    model, random = ZOO[args.model], np.random.default_rng(args.seed)
    x = np.eye(4, dtype=np.float32)[random.integers(0, 4, (args.batch, model.length))]
    return x, (random.random((args.batch, model.classes)) < 0.5).astype(np.float32)


def time_steps(step, steps=None, seconds=None):
    """Milliseconds of each step, for a number of steps or a length of time, and of the processors a step."""
    times, start, processor = [], time.perf_counter(), time.process_time()
    while len(times) < steps if steps else time.perf_counter() - start < seconds:
        before = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - before))
    return times, 1e3 * (time.process_time() - processor) / len(times)


def check(step, path):
    """Losses of three steps from PyTorch's weights: the first proves the forward pass, the others the rest, less closely,
    since Adam makes a step of 0.001 of the smallest gradient."""
    with np.load(path) as file:
        parameters = [file[f"parameter{i}"] for i in range(int(file["count"]))]
        step.set(parameters, file["x"], file["y"])
        losses = [float(np.ravel(step())[-1]) for _ in file["losses"]]
        wrong = np.abs(np.array(losses) / file["losses"] - 1)
    print(json.dumps({"losses": losses, "relative": [float(w) for w in wrong]}))
    return 0 if wrong[0] < 1e-4 and wrong.max() < 1e-3 else 1


def run(args, name, version, step):
    """times: milliseconds of a step of one trial."""
    if args.check:
        sys.exit(check(step, args.check))

    def report(measured):
        times, processor = [t / args.trials for t in measured[0]], measured[1] / args.trials
        print(json.dumps({
            "peer": name, "version": version, "model": args.model, "activation": args.activation,
            "batch": args.batch, "threads": args.threads, "trials": args.trials, "steps": len(times),
            "median_ms": round(statistics.median(times), 4), "min_ms": round(min(times), 4),
            "mean_ms": round(statistics.fmean(times), 4), "processor_ms": round(processor, 4)}), flush=True)

    time_steps(step, steps=5)
    if args.serve:
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            report(time_steps(step, steps=args.steps))
    else:
        for _ in range(args.repeat):
            report(time_steps(step, seconds=args.seconds))
