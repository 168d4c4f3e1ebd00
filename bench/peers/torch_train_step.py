"""Times one training step of a zoo model in PyTorch on the CPU: forward, loss, backward, Adam, at batch 100.

Written as PyTorch's own advice goes: channels_last, in-place activations, inputs in place beforehand, gradients
set to None, fused Adam, a malloc that keeps its pages. The L2 penalty, the clip of the exponential and the gathering
of the batch are left out, which favours PyTorch.

    python torch_train_step.py --model cnn-deep --threads 2 --seconds 5 --repeat 3     times, prints a JSON line each
    python torch_train_step.py --model cnn-deep --threads 2 --steps 20 --serve         warms up, prints {"ready": true};
        then for every line on stdin one round of --steps steps and its JSON line; ends with stdin
"""
import argparse
import json
import statistics
import sys
import time

import torch
from torch.nn import functional as F

import torch_zoo


class Step:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        model = torch_zoo.ZOO[args.model]
        bases = torch.randint(0, 4, (args.batch, model.length))
        self.x = F.one_hot(bases, 4).float()  # (N,L,4): no copy to channels_last
        self.y = (torch.rand(args.batch, model.classes) < 0.5).float()
        self.network = torch_zoo.build(args.model, args.activation, dropout=not args.no_dropout)
        self.network.train()
        self.forward = torch.compile(self.network, dynamic=False) if args.compile else self.network
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-3, eps=1e-7,
                                          **({} if args.adam == "plain" else {args.adam: True}))

    def __call__(self):
        loss = F.binary_cross_entropy_with_logits(self.forward(self.x), self.y)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def round(self, steps=None, seconds=None):
        """Milliseconds of each step, for a number of steps or a length of time."""
        times, start = [], time.perf_counter()
        while len(times) < steps if steps else time.perf_counter() - start < seconds:
            before = time.perf_counter()
            self()
            times.append(1e3 * (time.perf_counter() - before))
        return times


def report(args, times):
    print(json.dumps({
        "peer": "pytorch", "version": torch.__version__, "model": args.model, "activation": args.activation,
        "batch": args.batch, "threads": args.threads, "steps": len(times),
        "median_ms": round(statistics.median(times), 4), "min_ms": round(min(times), 4),
        "mean_ms": round(statistics.fmean(times), 4)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, choices=torch_zoo.ZOO)
    parser.add_argument("--activation", default="exponential_unclipped", choices=torch_zoo.ACTIVATIONS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20, help="steps of a round of --serve")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--adam", default="fused", choices=("fused", "foreach", "plain"))
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--no-dropout", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch_zoo.keep_memory()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    step = Step(args)
    step.round(steps=5)
    if args.serve:
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            report(args, step.round(steps=args.steps))
    else:
        for _ in range(args.repeat):
            report(args, step.round(seconds=args.seconds))


if __name__ == "__main__":
    main()
