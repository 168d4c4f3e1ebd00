"""Explains a zoo model's output in PyTorch on the CPU, all four methods: inference mode, channels_last, batch norm
folded into the weights before it, the weights constants, everything in large batches. Deepshap computes each sequence
once beside all its backgrounds, not once with each. How it is called: serve_attribution.py."""
from keep_memory import keep_memory

keep_memory()

import math

import torch
from torch.nn import functional as F

import serve_attribution
import torch_zoo
from torch_predict import fold


def gradient(network, class_index, z):
    z.requires_grad_()
    return torch.autograd.grad(network(z)[:, class_index].sum(), z)[0]


def saliency(network, class_index, x, backgrounds, args, batch):
    g = torch.cat([gradient(network, class_index, part.clone()) for part in x.split(batch)])
    return g * x, g


def integrated_gradients(network, class_index, x, backgrounds, args, batch):
    """All points between a sequence and a background are neighbours in the batch."""
    points = (torch.arange(args.steps, dtype=x.dtype) / args.steps)[:, None, None]
    start = backgrounds.flatten(0, 1)
    way = (x[:, None] - backgrounds).flatten(0, 1)
    pairs = max(1, batch // args.steps)
    m = [gradient(network, class_index, torch.addcmul(b[:, None], w[:, None], points).flatten(0, 1))
         .unflatten(0, (-1, args.steps)).mean(1) for b, w in zip(start.split(pairs), way.split(pairs))]
    return serve_attribution.summarise(torch.cat(m).reshape(backgrounds.shape), x, backgrounds)


@torch.inference_mode()
def mutagenesis(network, class_index, x, backgrounds, args, batch):
    """The three other bases at every position: at the base that is there, its output is the sequence's own."""
    length = x.shape[1]
    codes = x.argmax(-1)
    reference = torch.cat([network(part)[:, class_index] for part in x.split(batch)])
    others = (codes[..., None] + torch.arange(1, 4)) % 4  # (n,L,3)
    sequence = torch.arange(len(x)).repeat_interleave(3 * length)
    position = torch.arange(length).repeat_interleave(3).repeat(len(x))
    logits = []
    for n, l, base in zip(sequence.split(batch), position.split(batch), others.flatten().split(batch)):
        variants = x[n]
        row = torch.arange(len(n))
        variants[row, l] = 0
        variants[row, l, base] = 1
        logits.append(network(variants)[:, class_index])
    difference = torch.cat(logits).reshape(len(x), length, 3) - reference[:, None, None]
    hypothetical = torch.zeros_like(x).scatter_(-1, others, difference)
    return hypothetical.norm(dim=-1, keepdim=True) * x, hypothetical


class Rescale(torch.autograd.Function):
    """An elementwise function of rows (sequences * (1 + backgrounds), ...), each sequence before its backgrounds. What
    comes back in a background's row is the multiplier of the two; a sequence's row stays zero."""
    near = 1e-5
    group = 11

    @staticmethod
    def forward(ctx, x, function):
        y = function(x.clone())
        ctx.save_for_backward(x, y)
        ctx.function = function
        return y

    @staticmethod
    def backward(ctx, upper):
        rows, group = ctx.saved_tensors[0], Rescale.group
        x, y = (t.unflatten(0, (-1, group)) for t in ctx.saved_tensors)
        m = torch.zeros_like(rows)
        multiplier = m.unflatten(0, (-1, group))[:, 1:]
        away = x[:, 1:] - x[:, :1]
        torch.sub(y[:, 1:], y[:, :1], out=multiplier).div_(away)
        n, b, *rest = (away.abs_() < Rescale.near).nonzero(as_tuple=True)
        if len(n):
            with torch.enable_grad():
                middle = ((x[(n, b + 1, *rest)] + x[(n, torch.zeros_like(b), *rest)]) / 2).requires_grad_()
                slope = torch.autograd.grad(ctx.function(middle.clone()).sum(), middle)[0]
            multiplier[(n, b, *rest)] = slope
        return m.mul_(upper), None


class RescalePool(torch.autograd.Function):
    """A max pool of the same rows."""

    @staticmethod
    def forward(ctx, x, size):
        y, at = F.max_pool2d(x, (1, size), return_indices=True)
        ctx.save_for_backward(x, y, at)
        return y

    @staticmethod
    def backward(ctx, upper):
        x, y, at = (t.unflatten(0, (-1, Rescale.group)) for t in ctx.saved_tensors)
        rise = y[:, :1] - y
        where = torch.where(rise >= 0, at[:, :1], at)
        below = x[:, :1].expand_as(x).gather(-1, where) - x.gather(-1, where)
        share = rise.div_(below).masked_fill_(below == 0, 0).flatten(0, 1).mul_(upper)
        return torch.zeros_like(ctx.saved_tensors[0]).scatter_(-1, where.flatten(0, 1), share), None


def pool(x, layer):
    if layer.pool == 1:
        return x
    missing = -x.shape[-1] % layer.pool if layer.pool_same else 0
    if missing:
        x = F.pad(x, (missing // 2, missing - missing // 2), value=-math.inf)
    return RescalePool.apply(x, layer.pool)


def forward_rescaled(network, x):
    relu = torch_zoo.ACTIVATIONS["relu"]
    x = x.unsqueeze(1).permute(0, 3, 1, 2)
    for layer in network.layers:
        if isinstance(layer, torch_zoo.ConvBlock):
            x = pool(Rescale.apply(layer.norm(layer.conv(x)), layer.activation), layer)
        elif isinstance(layer, torch_zoo.ResidualBlock):
            y = layer.norm1(Rescale.apply(layer.conv1(x), relu))
            y = layer.norm2(Rescale.apply(layer.conv2(Rescale.apply(y, relu)), relu))
            x = pool(Rescale.apply(x + y, relu), layer)
        elif isinstance(layer, torch_zoo.DenseBlock):
            x = Rescale.apply(layer.norm(layer.dense(x)), relu)
        else:
            x = layer(x)
    return x


def deepshap(network, class_index, x, backgrounds, args, batch):
    group = Rescale.group = 1 + backgrounds.shape[1]
    together = max(1, batch // group)
    rows = torch.cat([x[:, None], backgrounds], 1)
    m = []
    for part in rows.split(together):
        part = part.flatten(0, 1).requires_grad_()
        logits = forward_rescaled(network, part)
        seed = torch.zeros_like(logits).unflatten(0, (-1, group))
        seed[:, 1:, class_index] = 1
        m.append(torch.autograd.grad(logits, part, seed.flatten(0, 1))[0].unflatten(0, (-1, group))[:, 1:])
    return serve_attribution.summarise(torch.cat(m), x, backgrounds)


def main():
    args = serve_attribution.arguments(__doc__)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    network = fold(serve_attribution.network_of(args)).requires_grad_(False)
    method = {"saliency": saliency, "integrated_gradients": integrated_gradients, "mutagenesis": mutagenesis,
              "deepshap": deepshap}[args.method]

    def explain(x, backgrounds, batch):
        return method(network, serve_attribution.class_of(args), x, backgrounds, args, batch)

    serve_attribution.run(args, "pytorch", torch.__version__, explain)


if __name__ == "__main__":
    main()
