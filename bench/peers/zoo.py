"""The zoo of expconv as plain descriptions that belong to no framework: what configs/zoo/ writes out.

A model is a list of blocks (Conv, Residual, Dense); torch_zoo.py, tf_zoo.py and jax_zoo.py each make a network of it
their own way. `walk` gives the blocks with their sizes filled in, and `parameters` the tensors in the order of our
weights files, in Keras' layout: (K,C,F), (In,Out), (F). It computes nothing.
"""
import math
from dataclasses import dataclass, replace

BATCH_NORM_EPS = 1e-3
BATCH_NORM_MOMENTUM = 0.99
KERNEL_L2 = 1e-6
SWEPT = "swept"  # replaced by the activation that a network is built with


@dataclass(frozen=True)
class Conv:
    """conv filters×width → batch norm → activation → dropout → max pool (width = stride = pool)."""
    filters: int
    width: int
    padding: str = "same"
    activation: str = "relu"
    dropout: float = 0.0
    pool: int = 1
    pool_same: bool = False
    batch_norm: bool = True
    l2: float = KERNEL_L2


@dataclass(frozen=True)
class Residual:
    """Two convolutions of the input's channel count, the input added, relu, max pool."""
    width: int
    pool: int = 1
    pool_same: bool = False
    l2: float = KERNEL_L2


@dataclass(frozen=True)
class Dense:
    """dense → batch norm → relu → dropout."""
    units: int
    dropout: float = 0.5
    l2: float = KERNEL_L2


@dataclass(frozen=True)
class Model:
    name: str
    length: int
    classes: int
    blocks: tuple


def _first(filters, dropout=0.1, **more):
    return Conv(filters, 19, "same", SWEPT, dropout, **more)


def _cnn_2(w):
    return (_first(32 * w, pool=2, pool_same=True),
            Conv(124 * w, 5, dropout=0.1, pool=50, pool_same=True), Dense(512 * w))


def _cnn_50(w):
    return (_first(32 * w, pool=50, pool_same=True),
            Conv(124 * w, 5, dropout=0.1, pool=2, pool_same=True), Dense(512 * w))


def _cnn_deep(w, **first):
    return (_first(32 * w, **first),
            Conv(48 * w, 7, "same", dropout=0.2, pool=4),
            Conv(96 * w, 7, "valid", dropout=0.3, pool=4),
            Conv(128 * w, 3, "valid", dropout=0.4, pool=3), Dense(512 * w))


def _cnn_dist(all_same=False, **first):
    return (_first(24, **first),
            Conv(32, 7, "same", dropout=0.2, pool=4, pool_same=all_same),
            Conv(48, 7, "valid", dropout=0.3, pool=4, pool_same=all_same),
            Conv(64, 3, "valid", dropout=0.4, pool=3, pool_same=True), Dense(96))


ZOO = {model.name: model for model in (
    Model("cnn-2", 200, 12, _cnn_2(1)),
    Model("cnn-50", 200, 12, _cnn_50(1)),
    Model("cnn-deep", 200, 12, _cnn_deep(1)),
    Model("cnn-2-1000", 1000, 12, _cnn_2(2)),
    Model("cnn-50-1000", 1000, 12, _cnn_50(2)),
    Model("cnn-deep-1000", 1000, 12, _cnn_deep(2)),
    Model("cnn-deep-nobn", 200, 12, _cnn_deep(1, batch_norm=False)),
    Model("cnn-deep-log", 200, 12, _cnn_deep(1, l2=0.1)),
    Model("cnn-deep-log-nol2", 200, 12, _cnn_deep(1, l2=0.0)),
    Model("cnn-local", 200, 1, (_first(24, pool=50), Conv(48, 3, dropout=0.2, pool=2), Dense(96))),
    Model("cnn-dist", 200, 1, _cnn_dist()),
    Model("cnn-dist-log", 200, 1, _cnn_dist(True, l2=0.1)),
    Model("cnn-dist-log-nol2", 200, 1, _cnn_dist(True, l2=0.0)),
    Model("basset", 600, 164, (
        _first(300, 0.2, pool=3),
        Conv(200, 11, "valid", dropout=0.2, pool=4),
        Conv(200, 7, "valid", dropout=0.2, pool=4), Dense(1000), Dense(1000))),
    Model("residualbind", 400, 1, (
        _first(24), Residual(5, pool=10),
        Conv(48, 7, "same", dropout=0.3, pool=5),
        Conv(64, 3, "valid", dropout=0.4, pool=4), Dense(96))),
)}


# ------------------------------------------------------------------- sizes

def without_dropout(model):
    return replace(model, blocks=tuple(replace(b, dropout=0.0) if hasattr(b, "dropout") else b for b in model.blocks))


def pooled(length, spec):
    return -(-length // spec.pool) if spec.pool_same else length // spec.pool


@dataclass(frozen=True)
class Layer:
    """A block where it stands. inputs and outputs: channels, or units of a dense layer, which flattens what it gets."""
    kind: str  # conv, residual, dense, out
    spec: object
    inputs: int
    outputs: int
    parameters: tuple  # of Parameter


@dataclass(frozen=True)
class Parameter:
    role: str  # kernel, bias, gamma, beta
    shape: tuple
    initialiser: str = ""

    def deviation(self):
        """Standard deviation of a kernel's initial weights: Keras' variance scaling."""
        field = math.prod(self.shape[:-2])
        fan_in, fan_out = self.shape[-2] * field, self.shape[-1] * field
        return math.sqrt(2 / fan_in if self.initialiser == "he_normal" else 2 / (fan_in + fan_out))


def _weights(shape, norm, initialiser="glorot_uniform"):
    vector = shape[-1:]
    return (Parameter("kernel", shape, initialiser),) + (
        (Parameter("gamma", vector), Parameter("beta", vector)) if norm else ())


def walk(model, classes=None):
    """The layers of a model, the last of them the output layer."""
    channels, length, flat = 4, model.length, None
    for spec in model.blocks:
        if isinstance(spec, Conv):
            shape = (spec.width, channels, spec.filters)
            yield Layer("conv", spec, channels, spec.filters, _weights(shape, spec.batch_norm))
            channels = spec.filters
            length = pooled(length if spec.padding == "same" else length - spec.width + 1, spec)
        elif isinstance(spec, Residual):
            weights = _weights((spec.width, channels, channels), True, "he_normal")
            yield Layer("residual", spec, channels, channels, weights + weights)
            length = pooled(length, spec)
        else:
            flat = flat or channels * length
            yield Layer("dense", spec, flat, spec.units, _weights((flat, spec.units), True))
            flat = spec.units
    classes = classes or model.classes
    yield Layer("out", None, flat, classes,
                (Parameter("kernel", (flat, classes), "glorot_uniform"), Parameter("bias", (classes,))))
