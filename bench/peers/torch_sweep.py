"""Trains a share of a sweep's trials in PyTorch, as a whole process: what `expconv sweep` is compared with.

Reads the file, keeps it in memory as tensors, and trains activations × seeds of one model one after another: batches of
100 in a new order each epoch, binary cross-entropy, fused Adam with the L2 penalty as its weight decay, AUROC and AUPR of
the validation set after each epoch and of the test set at the end. Several processes side by side take a share each.
Prints a JSON line a trial. The exponential is not clipped, which favours PyTorch.

    python torch_sweep.py --data F.h5 --model cnn-deep --activations relu exponential --seeds 4 --epochs 3 --share 0 --of 2
"""
from keep_memory import keep_memory

keep_memory()

import argparse
import json
import time

import h5py
import numpy as np
import torch
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score
from torch.nn import functional as F

import torch_zoo


def load(path):
    """{split: (X (n,L,4), Y (n,classes))}, float32; stored (n,4,L)."""
    def read(file, name):
        return torch.from_numpy(file[name][()].astype(np.float32, copy=False))
    with h5py.File(path) as file:
        return {split: (read(file, f"X_{split}").transpose(1, 2).contiguous(), read(file, f"Y_{split}"))
                for split in ("train", "valid", "test")}


def optimiser_of(network):
    decayed = [p.tensor for p in network.parameters_in_order() if p.l2]
    rest = [p.tensor for p in network.parameters_in_order() if not p.l2]
    groups = [{"params": decayed, "weight_decay": 2 * torch_zoo.KERNEL_L2}, {"params": rest}]
    return torch.optim.Adam(groups, lr=1e-3, eps=1e-7, fused=True)


@torch.inference_mode()
def evaluate(network, x, y, batch=500):
    """Means over the classes of AUROC and AUPR."""
    network.eval()
    scores = torch.cat([network(part) for part in x.split(batch)]).numpy()
    network.train()
    areas = []
    for truth, score in zip(y.numpy().T, scores.T):
        precision, recall, _ = precision_recall_curve(truth, score)
        areas.append((roc_auc_score(truth, score), auc(recall, precision)))
    return np.mean(areas, axis=0)


def train(data, args, activation, seed):
    torch.manual_seed(seed)
    (x, y), start = data["train"], time.perf_counter()
    network = torch_zoo.build(args.model, activation, classes=y.shape[1]).train()
    optimiser = optimiser_of(network)
    for _ in range(args.epochs):
        for index in torch.randperm(len(x)).split(args.batch):
            loss = F.binary_cross_entropy_with_logits(network(x[index]), y[index])
            loss.backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        valid = evaluate(network, *data["valid"])
    test = evaluate(network, *data["test"])
    print(json.dumps({"peer": "pytorch", "version": torch.__version__, "activation": activation, "seed": seed,
                      "seconds": round(time.perf_counter() - start, 3), "valid_auroc": round(float(valid[0]), 4),
                      "test_auroc": round(float(test[0]), 4)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="cnn-deep", choices=torch_zoo.ZOO)
    parser.add_argument("--activations", nargs="+", default=["relu", "exponential"])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share", type=int, default=0)
    parser.add_argument("--of", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    data = load(args.data)
    trials = [(a, seed) for a in args.activations for seed in range(args.seeds)]
    for activation, seed in trials[args.share::args.of]:
        train(data, args, "exponential_unclipped" if activation == "exponential" else activation, seed)


if __name__ == "__main__":
    main()
