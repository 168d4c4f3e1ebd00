"""Trains a model of the zoo in PyTorch on a real file by the paper's protocol; one TSV line per finished trial.

Protocol: reverse complements added to all three splits; batch 100, the last partial batch included; Keras' Adam
0.001 (0.9, 0.999, 1e-7); binary cross-entropy plus L2 1e-6 on kernels (not the out layer's); at most 100 epochs;
early stopping after 20 epochs without a strictly greater val_auroc; learning rate × 0.2 after 5 epochs without
an improvement of more than 1e-4, never under 1e-7; the last epoch's weights are kept and tested.
Trials that the TSV already names are not run again. Runs on the CPU.

    python torch_chipseq.py --data IRF1_400_h3k27ac.h5 --activation exponential --seeds 0 1 2 --out chipseq.tsv
"""
import argparse
import math
import os
import time

import h5py
import numpy as np
import torch
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score
from torch.nn import functional as F

import torch_zoo

COLUMNS = "dataset activation seed epochs best_val_auroc test_auroc test_aupr seconds".split()


def load_split(file, split):
    """X (2n,L,4), reverse complements after the originals, and Y (2n,classes), float32."""
    x = torch.from_numpy(file[f"X_{split}"][()].astype(np.float32)).transpose(1, 2)  # stored (n,4,L)
    y = torch.from_numpy(file[f"Y_{split}"][()].astype(np.float32))
    return torch.cat([x, x.flip(1, 2)]).contiguous(), torch.cat([y, y])


class KerasAdam:
    """w -= lr·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + eps); the gradient has the L2 penalty's 2·l2·w in it."""

    def __init__(self, entries, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7):
        self.lr, self.beta1, self.beta2, self.eps, self.t = lr, beta1, beta2, eps, 0
        self.weights = [e.tensor for e in entries]
        self.l2 = [2.0 * e.l2 for e in entries]
        self.m = [torch.zeros_like(w) for w in self.weights]
        self.v = [torch.zeros_like(w) for w in self.weights]

    @torch.no_grad()
    def step(self):
        self.t += 1
        gradients = [w.grad for w in self.weights]
        torch._foreach_add_(gradients, torch._foreach_mul(self.weights, self.l2))
        torch._foreach_lerp_(self.m, gradients, 1 - self.beta1)
        torch._foreach_mul_(self.v, self.beta2)
        torch._foreach_addcmul_(self.v, gradients, gradients, 1 - self.beta2)
        rate = self.lr * math.sqrt(1 - self.beta2 ** self.t) / (1 - self.beta1 ** self.t)
        divisor = torch._foreach_sqrt(self.v)
        torch._foreach_add_(divisor, self.eps)
        torch._foreach_addcdiv_(self.weights, self.m, divisor, -rate)
        for w in self.weights:
            w.grad = None


@torch.no_grad()
def predict(network, x, batch=500):
    network.eval()
    return torch.cat([network(part) for part in x.split(batch)])


def auroc(y, logits):
    return float(np.mean([roc_auc_score(t, s) for t, s in zip(y.numpy().T, logits.numpy().T)]))


def aupr(y, logits):
    """Trapezoid over the precision-recall curve, as the paper."""
    def one(t, s):
        precision, recall, _ = precision_recall_curve(t, s)
        return auc(recall, precision)
    return float(np.mean([one(t, s) for t, s in zip(y.numpy().T, logits.numpy().T)]))


def train_epoch(network, optimiser, x, y, batch, generator):
    network.train()
    total = 0.0
    for index in torch.randperm(len(x), generator=generator).split(batch):
        loss = F.binary_cross_entropy_with_logits(network(x[index]), y[index])
        loss.backward()
        optimiser.step()
        total += loss.item() * len(index)
    return total / len(x)


def train(data, args, seed):
    (x, y), (x_valid, y_valid), (x_test, y_test) = data
    torch.manual_seed(seed)  # weights and dropout
    order = torch.Generator().manual_seed(1_000_000 + seed)
    network = torch_zoo.build(args.model, args.activation, classes=y.shape[1])
    optimiser = KerasAdam(network.parameters_in_order())
    best, waited = -math.inf, 0                  # early stopping
    plateau_best, plateau_waited = -math.inf, 0  # reduce on plateau
    start = time.monotonic()
    for epoch in range(1, args.epochs + 1):
        loss = train_epoch(network, optimiser, x, y, args.batch, order)
        value = auroc(y_valid, predict(network, x_valid))
        if args.verbose:
            print(f"seed {seed} epoch {epoch} loss {loss:.4f} val_auroc {value:.4f} lr {optimiser.lr:.2g} "
                  f"{time.monotonic() - start:.1f} s", flush=True)
        if not math.isfinite(loss):
            raise SystemExit(f"seed {seed}: the loss of epoch {epoch} is not finite")
        if value > plateau_best + 1e-4:
            plateau_best, plateau_waited = value, 0
        else:
            plateau_waited += 1
            if plateau_waited >= 5:
                optimiser.lr, plateau_waited = max(optimiser.lr * 0.2, 1e-7), 0
        if value > best:
            best, waited = value, 0
        else:
            waited += 1
            if waited >= 20:
                break
    logits = predict(network, x_test)
    return epoch, best, auroc(y_test, logits), aupr(y_test, logits), time.monotonic() - start


def finished(path, dataset, activation):
    if not os.path.exists(path):
        return set()
    rows = [line.rstrip("\n").split("\t") for line in open(path)][1:]
    return {int(r[2]) for r in rows if len(r) == len(COLUMNS) and r[:2] == [dataset, activation]}


def main():
    torch_zoo.keep_memory()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="residualbind", choices=torch_zoo.ZOO)
    parser.add_argument("--activation", default="exponential", choices=torch_zoo.ACTIVATIONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    dataset = os.path.basename(args.data).split("_")[0].removesuffix(".h5")
    with h5py.File(args.data) as file:
        data = [load_split(file, split) for split in ("train", "valid", "test")]
    done = finished(args.out, dataset, args.activation)
    for seed in args.seeds:
        if seed in done:
            continue
        epochs, best, test_auroc, test_aupr, seconds = train(data, args, seed)
        fresh = not os.path.exists(args.out)
        with open(args.out, "a") as out:
            if fresh:
                print(*COLUMNS, sep="\t", file=out)
            print(dataset, args.activation, seed, epochs, f"{best:.6f}", f"{test_auroc:.6f}",
                  f"{test_aupr:.6f}", f"{seconds:.1f}", sep="\t", file=out)


if __name__ == "__main__":
    main()
