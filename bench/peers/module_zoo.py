"""A zoo network of torch_zoo.py with every activation and pool as a module of its own, which is what Captum and
tangermeme hook: input (N,4,L), output logits (N,classes), inference mode, the weights shared with the network it is
made of. They know relu, tanh and the like by class; `others(network)` are the classes of what remains (exponential,
log), to be registered as elementwise activations with the rescale rule.
"""
import math

from torch import nn
from torch.nn import functional as F

import torch_zoo


class Activation(nn.Module):
    """Any elementwise function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def activation(function):
    known = {torch_zoo.ACTIVATIONS["relu"]: nn.ReLU, torch_zoo.ACTIVATIONS["tanh"]: nn.Tanh,
             torch_zoo.ACTIVATIONS["sigmoid"]: nn.Sigmoid}
    return known[function]() if function in known else Activation(function)


class Pool(nn.Module):
    """torch_zoo.max_pool with nn.MaxPool2d inside. Captum 0.9 hooks tensors, and where a module's output is itself the
    next one's input, the first sees the gradient before the second has changed it: hence the view."""

    def __init__(self, size, same):
        super().__init__()
        self.size, self.same, self.pool = size, same, nn.MaxPool2d((1, size))

    def forward(self, x):
        x = x.view_as(x)
        missing = -x.shape[-1] % self.size if self.same else 0
        if missing:
            x = F.pad(x, (missing // 2, missing - missing // 2), value=-math.inf)
        return self.pool(x)


def pool(layer):
    return Pool(layer.pool, layer.pool_same) if layer.pool > 1 else nn.Identity()


class Residual(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.inner = nn.Sequential(layer.conv1, nn.ReLU(), layer.norm1, nn.ReLU(), layer.conv2, nn.ReLU(), layer.norm2)
        self.relu, self.pool = nn.ReLU(), pool(layer)

    def forward(self, x):
        return self.pool(self.relu(x + self.inner(x)))


class Height(nn.Module):
    """(N,4,L) → (N,4,1,L), channels last as torch_zoo has it."""

    def forward(self, x):
        return x.permute(0, 2, 1).unsqueeze(1).contiguous().permute(0, 3, 1, 2)


def build(network):
    layers = [Height()]
    for layer in network.layers:
        if isinstance(layer, torch_zoo.ConvBlock):
            layers += [layer.conv, layer.norm, activation(layer.activation), pool(layer)]
        elif isinstance(layer, torch_zoo.ResidualBlock):
            layers.append(Residual(layer))
        elif isinstance(layer, torch_zoo.DenseBlock):
            layers += [layer.dense, layer.norm, nn.ReLU()]
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def others(network):
    return {type(module) for module in network.modules() if isinstance(module, Activation)}
