"""What the peers' attribution scripts share: their arguments, the sequences, the choice of the batch, and the protocol.

    python X_attribution.py --model cnn-deep --method deepshap --threads 2 --sequences 50 --serve    makes one-hot
        sequences in memory and shuffles each for its backgrounds, takes the fastest of a few batches (or --batch),
        prints {"ready": true}; then for every line on stdin explains class 1's logit of all sequences once and prints
        a JSON line whose median_ms are milliseconds for one sequence, and processor_ms those of all processors. Making
        the backgrounds is not timed.
    ... --check    computes two sequences in float64 and compares with the shortest code for it, deepshap with what
        its sum must be; prints norms, so that systems can be compared; exit status 1 where they differ

A system gives explain(x, backgrounds, batch): x (n,L,4) and backgrounds (n,b,L,4), or None for methods that have none,
are float32 tensors, float64 in --check, as is the network that network_of gives; batch is the rows of a forward pass,
as near as the method can. It returns contributions and hypothetical, both (n,L,4), as attribution.h defines them.
"""
import argparse
import json
import sys
import time

import numpy as np
import torch

import torch_zoo
from zoo import ZOO

METHODS = "saliency", "integrated_gradients", "mutagenesis", "deepshap"
COMPARED = "integrated_gradients", "deepshap"  # with backgrounds
BATCHES = {"saliency": (10, 50, 200), "integrated_gradients": (100, 200, 400, 1000),
           "mutagenesis": (100, 300, 600, 1200), "deepshap": (11, 55, 110, 220)}


def arguments(description, methods=METHODS):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn-deep", choices=ZOO)
    parser.add_argument("--activation", default="exponential_unclipped")
    parser.add_argument("--method", default=methods[-1], choices=methods)
    parser.add_argument("--backgrounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, help="rows of a forward pass; tried out by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--trials", type=int, default=1, help="1: there is no other way")
    parser.add_argument("--sequences", type=int, default=50)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def network_of(args):
    """In inference mode, the weights constants; running statistics as if it were trained."""
    generator = torch.Generator().manual_seed(1)
    network = torch_zoo.build(args.model, args.activation, generator=generator).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            module.running_mean.uniform_(-0.1, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.double() if args.check else network


def class_of(args):
    return min(1, ZOO[args.model].classes - 1)


def sequences(args):
    """x (n,L,4), and backgrounds (n,b,L,4), each sequence's own bases in another order, or None."""
    random = np.random.default_rng(1)
    bases = random.integers(0, 4, (args.sequences, ZOO[args.model].length))
    one = np.eye(4, dtype=np.float32)
    x = torch.from_numpy(one[bases])
    if args.method not in COMPARED:
        return x, None
    shuffled = random.permuted(np.repeat(bases[:, None], args.backgrounds, axis=1), axis=-1)
    return x, torch.from_numpy(one[shuffled])


def summarise(m, x, backgrounds):
    """Of m (n,b,L,4), the mean gradients or multipliers."""
    contributions = (m * (x[:, None] - backgrounds)).mean(1)
    return contributions, (m - (m * backgrounds).sum(-1, keepdim=True)).mean(1)


# ---------------------------------------------------------------------- check

def plain(args, x, backgrounds):
    """Contributions and hypothetical by the shortest code there is; None of deepshap, which has none."""
    network, c = network_of(args), class_of(args)

    def gradient(z):
        z = z.clone().requires_grad_()
        return torch.autograd.grad(network(z)[:, c].sum(), z)[0]
    if args.method == "saliency":
        g = gradient(x)
        return g * x, g
    if args.method == "integrated_gradients":
        b = backgrounds
        m = sum(gradient((b + k / args.steps * (x[:, None] - b)).flatten(0, 1)) for k in range(args.steps)) / args.steps
        return summarise(m.reshape(b.shape), x, b)
    if args.method == "mutagenesis":
        changes = torch.zeros_like(x)
        for l in range(x.shape[1]):
            for base in range(4):
                y = x.clone()
                y[:, l] = torch.eye(4)[base]
                changes[:, l, base] = (network(y) - network(x))[:, c]
        return changes.norm(dim=-1, keepdim=True) * x, changes
    return None


def check(args, explain):
    args.sequences = 2
    x, backgrounds = sequences(args)
    x, backgrounds = x.double(), backgrounds if backgrounds is None else backgrounds.double()
    found = explain(x, backgrounds, args.batch or BATCHES[args.method][0])
    golden = plain(args, x, backgrounds)
    if golden:
        off = [((a - b).norm() / b.norm()).item() for a, b in zip(found, golden)]
    else:  # deepshap
        logits = network_of(args)(torch.cat([x[:, None], backgrounds], 1).flatten(0, 1))[:, class_of(args)]
        logits = logits.reshape(len(x), -1)
        gain = logits[:, 0] - logits[:, 1:].mean(1)
        off = [((found[0].sum((1, 2)) - gain).norm() / gain.norm()).item()]
    print(json.dumps({"method": args.method, "relative": off, "sum": found[0].sum((1, 2)).tolist(),
                      "norm": [f.norm(dim=(1, 2)).tolist() for f in found]}), flush=True)
    return 0 if max(off) < 1e-9 else 1


def run(args, name, version, explain):
    if args.check:
        sys.exit(check(args, explain))
    x, backgrounds = sequences(args)

    def seconds_of(count, batch):
        start = time.perf_counter()
        explain(x[:count], None if backgrounds is None else backgrounds[:count], batch)
        return time.perf_counter() - start
    few = min(len(x), 200 if args.method == "saliency" else 10)
    batches = [args.batch] if args.batch else BATCHES[args.method]
    seconds_of(min(few, 2), batches[0])
    batch = min(batches, key=lambda batch: min(seconds_of(few, batch) for _ in range(2 if len(batches) > 1 else 1)))
    if args.serve:
        print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin if args.serve else range(3):
        processor = time.process_time()
        taken = seconds_of(len(x), batch)
        processor = time.process_time() - processor
        print(json.dumps({"peer": name, "version": version, "model": args.model, "method": args.method,
                          "backgrounds": args.backgrounds if backgrounds is not None else 0,
                          "steps": args.steps if args.method == "integrated_gradients" else 0, "threads": args.threads,
                          "batch": batch, "sequences": len(x), "median_ms": round(1e3 * taken / len(x), 4),
                          "processor_ms": round(1e3 * processor / len(x), 4)}), flush=True)
