"""Times one training step of a zoo model in PyTorch, on the CPU or another device: forward, loss, backward, Adam, at batch 100.

Written as PyTorch's own advice goes: channels_last, in-place activations, inputs in place beforehand, gradients
set to None, fused Adam, a malloc that keeps its pages. The L2 penalty, the clip of the exponential and the gathering
of the batch are left out, which favours PyTorch. How it is called: serve.py.
"""
from keep_memory import keep_memory

keep_memory()

import numpy as np
import torch
from torch.nn import functional as F

import serve
import torch_zoo


class Step:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        x, y = serve.one_hot_batch(args)
        self.device = torch.device(args.device)
        self.x, self.y = (torch.from_numpy(v).to(self.device) for v in (x, y))  # (N,L,4): no copy to channels_last
        self.network = torch_zoo.build(args.model, args.activation, dropout=not args.no_dropout).to(self.device)
        self.network.train()
        self.forward = torch.compile(self.network, dynamic=False) if args.compile else self.network
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-3, eps=1e-7,
                                          **({} if args.adam == "plain" else {args.adam: True}))

    def set(self, parameters, x, y):
        self.x, self.y = (torch.from_numpy(v).to(self.device) for v in (x, y))
        with torch.no_grad():
            for entry, value in zip(self.network.parameters_in_order(), parameters):
                entry.tensor.copy_(entry.from_keras(torch.from_numpy(value)))

    def __call__(self):
        loss = F.binary_cross_entropy_with_logits(self.forward(self.x), self.y)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return loss.item()


def write_check(step, path):
    entries = step.network.parameters_in_order()
    parameters = [entry.to_keras(entry.tensor.detach()).numpy().copy() for entry in entries]
    np.savez(path, x=step.x.numpy(), y=step.y.numpy(), count=len(parameters), losses=[step() for _ in range(3)],
             **{f"parameter{i}": value for i, value in enumerate(parameters)})


def main():
    parser = serve.arguments(__doc__)
    parser.add_argument("--adam", default="fused", choices=("fused", "foreach", "plain"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    step = Step(args)
    if args.write_check:
        write_check(step, args.write_check)
    else:
        serve.run(args, "pytorch", torch.__version__, step)


if __name__ == "__main__":
    main()
