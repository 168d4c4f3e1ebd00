"""The zoo of expconv as PyTorch modules: what our networks are compared with.

Every model is a list of small block descriptions (zoo.py), turned into one nn.Module by `build`. Inside, a tensor is
(N,C,1,L) in the channels_last memory format, which on a CPU is PyTorch's fastest (of conv1d, conv2d and this), and makes
the flattening position-major with the channel fastest: weights map one to one on Keras' order (K,C,F) and (In,Out).
It does not train anything: see torch_chipseq.py, torch_train_step.py and tests/golden/make_golden.py.

Departure from Keras: the running variance of batch norm is PyTorch's unbiased one, n/(n-1) of Keras'.
"""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from keep_memory import keep_memory  # noqa: F401 (the scripts call it from here)
from zoo import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, KERNEL_L2, SWEPT, ZOO, Conv, Residual, pooled, without_dropout


# ---------------------------------------------------------------- activations

def exponential(x, clip=30.0):
    return torch.exp_(torch.clamp(x, max=clip))


def log_abs(x):
    return torch.log(torch.abs(x) + 1e-10)


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": F.relu_,
    "exponential": exponential,
    "exponential_unclipped": torch.exp,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": lambda x: F.softplus(x, threshold=1e9),  # no switch to x: the plain formula
    "elu": F.elu,
    "shift_relu": lambda x: F.relu(x - 0.2),
    "scale_relu": lambda x: F.relu(x ** 3),
    "shift_scale_relu": lambda x: F.relu((x - 0.2) ** 3),
    "shift_sigmoid": lambda x: torch.sigmoid(x - 8),
    "scale_sigmoid": lambda x: 4000 * torch.sigmoid(x),
    "shift_scale_sigmoid": lambda x: 4000 * torch.sigmoid(x - 8),
    "shift_tanh": lambda x: torch.tanh(x - 6),
    "scale_tanh": lambda x: 500 * torch.tanh(x) + 500,
    "shift_scale_tanh": lambda x: 500 * torch.tanh(x - 6) + 500,
    "exp_relu": lambda x: F.relu(torch.exp(0.1 * x) - 1),
    "log": log_abs,
    "log_relu": lambda x: F.relu(log_abs(x)),
}


# -------------------------------------------------------------------- modules

def max_pool(x, size, same):
    """(N,C,1,L) → (N,C,1,ceil(L/size)) when same, as TensorFlow pads; (N,C,1,L//size) otherwise."""
    if size == 1:
        return x
    if same:
        length = x.shape[-1]
        missing = -(-length // size) * size - length
        if missing:
            x = F.pad(x, (missing // 2, missing - missing // 2), value=-math.inf)
    return F.max_pool2d(x, (1, size))


def _conv(channels, filters, width, same=True):
    return nn.Conv2d(channels, filters, (1, width), padding=(0, (width - 1) // 2 if same else 0), bias=False)


def _batch_norm(channels, kind=nn.BatchNorm2d):
    return kind(channels, eps=BATCH_NORM_EPS, momentum=1 - BATCH_NORM_MOMENTUM)


class Dropout(nn.Module):
    """nn.Dropout's law in half its time on a CPU, where `rand` is quicker than `bernoulli_`."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        return x * torch.rand_like(x).ge_(self.rate).mul_(1 / (1 - self.rate))


class ConvBlock(nn.Module):
    def __init__(self, channels, spec, activation):
        super().__init__()
        self.conv = _conv(channels, spec.filters, spec.width, spec.padding == "same")
        self.norm = _batch_norm(spec.filters) if spec.batch_norm else nn.Identity()
        self.activation = activation
        self.dropout = Dropout(spec.dropout)
        self.pool, self.pool_same = spec.pool, spec.pool_same

    def forward(self, x):
        x = self.dropout(self.activation(self.norm(self.conv(x))))
        return max_pool(x, self.pool, self.pool_same)


class ResidualBlock(nn.Module):
    def __init__(self, channels, spec):
        super().__init__()
        self.conv1 = _conv(channels, channels, spec.width)
        self.norm1 = _batch_norm(channels)
        self.conv2 = _conv(channels, channels, spec.width)
        self.norm2 = _batch_norm(channels)
        self.pool, self.pool_same = spec.pool, spec.pool_same

    def forward(self, x):
        y = F.relu_(self.norm1(F.relu_(self.conv1(x))))  # relu on both sides of batch norm, as published
        y = self.norm2(F.relu_(self.conv2(y)))
        return max_pool(F.relu_(x + y), self.pool, self.pool_same)


class DenseBlock(nn.Module):
    def __init__(self, inputs, spec):
        super().__init__()
        self.dense = nn.Linear(inputs, spec.units, bias=False)
        self.norm = _batch_norm(spec.units, nn.BatchNorm1d)
        self.dropout = Dropout(spec.dropout)

    def forward(self, x):
        return self.dropout(F.relu_(self.norm(self.dense(x))))


class Flatten(nn.Module):
    """(N,C,1,L) → (N, L·C), the channel fastest: Keras' order, and no copy."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


@dataclass
class Parameter:
    """One trainable tensor, named as ours, and how it is laid out there."""
    name: str            # blockB.kernel|bias|gamma|beta; a residual block counts as two
    role: str            # kernel, bias, gamma, beta
    tensor: nn.Parameter
    l2: float = 0.0
    initialiser: str = "glorot_uniform"

    def to_keras(self, tensor):
        """(F,C,1,K) → (K,C,F); (Out,In) → (In,Out); vectors as they are."""
        if tensor.dim() == 4:
            tensor = tensor.squeeze(2)
        return tensor.permute(*reversed(range(tensor.dim()))).contiguous()

    def from_keras(self, tensor):
        """The inverse of to_keras."""
        tensor = tensor.permute(*reversed(range(tensor.dim())))
        return tensor.unsqueeze(2) if tensor.dim() == 3 else tensor

    def keras_shape(self):
        return tuple(self.to_keras(self.tensor.detach()).shape)

    def fans(self):
        """(fan_in, fan_out) of a kernel, as Keras counts them."""
        shape = self.keras_shape()
        field = math.prod(shape[:-2])
        return shape[-2] * field, shape[-1] * field


class Network(nn.Module):
    """Input (N,L,4), output logits (N,classes). `parameters_in_order` is the order of our weights files."""

    def __init__(self, model, activation="relu", initialiser="glorot_uniform", classes=None):
        super().__init__()
        function = ACTIVATIONS[activation] if isinstance(activation, str) else activation
        layers, self.in_order, block = [], [], 0
        channels, length, flat = 4, model.length, None

        def record(kernel, norm=None, bias=None, l2=0.0, init="glorot_uniform"):
            nonlocal block
            entries = [("kernel", kernel), ("bias", bias)]
            if isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
                entries += [("gamma", norm.weight), ("beta", norm.bias)]
            self.in_order += [Parameter(f"block{block}.{role}", role, tensor,
                                        l2 if role == "kernel" else 0.0, init)
                              for role, tensor in entries if tensor is not None]
            block += 1

        for spec in model.blocks:
            if isinstance(spec, Conv):
                first = not layers
                own = function if spec.activation == SWEPT else ACTIVATIONS[spec.activation]
                layer = ConvBlock(channels, spec, own)
                record(layer.conv.weight, layer.norm, l2=spec.l2,
                       init=initialiser if first else "glorot_uniform")
                channels = spec.filters
                length = pooled(length if spec.padding == "same" else length - spec.width + 1, spec)
            elif isinstance(spec, Residual):
                layer = ResidualBlock(channels, spec)
                record(layer.conv1.weight, layer.norm1, l2=spec.l2, init="he_normal")
                record(layer.conv2.weight, layer.norm2, l2=spec.l2, init="he_normal")
                length = pooled(length, spec)
            else:
                if flat is None:
                    layers.append(Flatten())
                    flat = channels * length
                layer = DenseBlock(flat, spec)
                record(layer.dense.weight, layer.norm, l2=spec.l2)
                flat = spec.units
            layers.append(layer)
        out = nn.Linear(flat, classes or model.classes)
        record(out.weight, bias=out.bias)
        self.layers = nn.Sequential(*layers, out).to(memory_format=torch.channels_last)

    def forward(self, x):
        return self.layers(x.unsqueeze(1).permute(0, 3, 1, 2))  # (N,4,1,L), channels last without a copy

    def parameters_in_order(self):
        return self.in_order


# --------------------------------------------------------------- initialisers

TRUNCATED_SD = 0.87962566103423978  # standard deviation of a unit normal cut at ±2
SCALE_AND_FAN = {"glorot": (1.0, "average"), "he": (2.0, "in"), "lecun": (1.0, "in")}


def initialise_kernel(parameter, generator=None):
    """Keras' variance scaling, or `normal:SD`, in place."""
    tensor, name = parameter.tensor, parameter.initialiser
    with torch.no_grad():
        if name.startswith("normal:"):
            return tensor.normal_(0.0, float(name[7:]), generator=generator)
        family, shape = name.split("_")
        scale, fan = SCALE_AND_FAN[family]
        fan_in, fan_out = parameter.fans()
        variance = scale / (fan_in if fan == "in" else (fan_in + fan_out) / 2)
        if shape == "uniform":
            limit = math.sqrt(3 * variance)
            return tensor.uniform_(-limit, limit, generator=generator)
        sd = math.sqrt(variance) / TRUNCATED_SD
        return nn.init.trunc_normal_(tensor, 0.0, sd, -2 * sd, 2 * sd, generator=generator)


def build(name, activation="relu", initialiser="glorot_uniform", classes=None, generator=None,
          dropout=True):
    """A model of the zoo with fresh weights. classes: outputs, when not the model's own."""
    model = ZOO[name]
    if not dropout:
        model = without_dropout(model)
    network = Network(model, activation, initialiser, classes)
    for parameter in network.parameters_in_order():
        if parameter.role == "kernel":
            initialise_kernel(parameter, generator)
        else:
            nn.init.constant_(parameter.tensor, 1.0 if parameter.role == "gamma" else 0.0)
    return network


if __name__ == "__main__":  # every model runs; prints its size
    for name, model in ZOO.items():
        network = build(name)
        logits = network(torch.randn(2, model.length, 4))
        assert logits.shape == (2, model.classes)
        print(f"{name}\t{sum(p.numel() for p in network.parameters())} parameters")
