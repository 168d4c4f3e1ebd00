"""Times the first block of a zoo model alone in PyTorch on the CPU, forward and backward: convolution of the one-hot
input, batch norm, exponential, dropout, pool. How it is called: serve.py."""
from keep_memory import keep_memory

keep_memory()

import torch

import serve
import torch_zoo


class Step:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        x, _ = serve.one_hot_batch(args)
        self.x = torch.from_numpy(x).unsqueeze(1).permute(0, 3, 1, 2)  # (N,4,1,L), channels last
        self.block = torch_zoo.build(args.model, args.activation).layers[0].train()
        self.dy = torch.randn_like(self.block(self.x))

    def __call__(self):
        y = self.block(self.x)
        y.backward(self.dy)
        self.block.zero_grad(set_to_none=True)


def main():
    args = serve.arguments(__doc__).parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    serve.run(args, "pytorch", torch.__version__, Step(args))


if __name__ == "__main__":
    main()
