"""The zoo of expconv in JAX: what our networks are compared with.

A network is a function of (parameters, x, key): XLA compiles it whole. Inside, a tensor is (N,L,C). Two forms of the
convolution, since which is faster on a CPU depends on the sizes: "lax", XLA's convolution, and "taps", a matrix product a
tap over shifted rows. Max pooling is a reshape and a maximum where windows do not overlap, which XLA runs far faster
backwards than select-and-scatter. It does not train anything: see jax_train_step.py.
"""
import math

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import relu

from zoo import BATCH_NORM_EPS, ZOO, walk, without_dropout

ACTIVATIONS = {"relu": relu, "exponential": lambda x: jnp.exp(jnp.minimum(x, 30)), "exponential_unclipped": jnp.exp}


def conv_lax(x, kernel, same):
    """(N,L,C) * (K,C,F) → (N,L or L-K+1,F)."""
    return lax.conv_general_dilated(x, kernel, (1,), "SAME" if same else "VALID", dimension_numbers=("NWC", "WIO", "NWC"))


def conv_taps(x, kernel, same):
    width = kernel.shape[0]
    if same:
        left = (width - 1) // 2
        x = jnp.pad(x, ((0, 0), (left, width - 1 - left), (0, 0)))
    length = x.shape[1] - width + 1
    return sum(x[:, k:k + length] @ kernel[k] for k in range(width))


def conv_columns(x, kernel, same):
    """One matrix product over columns (N,L,K*C) of the input."""
    width, channels, filters = kernel.shape
    if same:
        left = (width - 1) // 2
        x = jnp.pad(x, ((0, 0), (left, width - 1 - left), (0, 0)))
    length = x.shape[1] - width + 1
    columns = jnp.concatenate([x[:, k:k + length] for k in range(width)], axis=2)
    return columns @ kernel.reshape(width * channels, filters)


CONVOLUTIONS = {"lax": conv_lax, "taps": conv_taps, "columns": conv_columns}


def batch_norm(x, gamma, beta):
    """Batch statistics over all but the channel; the running ones are returned beside (mean, variance)."""
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axes)
    variance = jnp.mean(jnp.square(x), axes) - jnp.square(mean)
    scale = gamma * lax.rsqrt(variance + BATCH_NORM_EPS)
    return x * scale + (beta - mean * scale), (mean, variance)


def dropout(x, rate, key):
    if rate == 0:
        return x
    keep = jax.random.bits(key, x.shape, jnp.uint16) >= round(rate * 65536)
    return jnp.where(keep, x * (1 / (1 - rate)), 0)


def max_pool(x, size, same):
    """(N,L,C) → (N,ceil(L/size),C) when same, as TensorFlow pads; (N,L//size,C) otherwise."""
    if size == 1:
        return x
    batch, length, channels = x.shape
    windows = -(-length // size) if same else length // size
    missing = windows * size - length
    if missing > 0:
        x = jnp.pad(x, ((0, 0), (missing // 2, missing - missing // 2), (0, 0)), constant_values=-math.inf)
    return x[:, :windows * size].reshape(batch, windows, size, channels).max(2)


def build(name, activation, with_dropout=True, convolution="lax"):
    """The model's parameters' descriptions, in order, and its function: logits and batch statistics. With `running`
    ((mean, variance) of each batch norm) the function is that of inference: these instead of the batch's, no dropout."""
    model = ZOO[name] if with_dropout else without_dropout(ZOO[name])
    layers = list(walk(model))
    conv = CONVOLUTIONS[convolution]
    swept = ACTIVATIONS[activation]

    def forward(parameters, x, key=None, running=None):
        rest, statistics, known = iter(parameters), [], iter(running or ())

        def norm(x):
            if running:
                (mean, variance), gamma, beta = next(known), next(rest), next(rest)
                scale = gamma * lax.rsqrt(variance + BATCH_NORM_EPS)
                return x * scale + (beta - mean * scale)
            x, batch = batch_norm(x, next(rest), next(rest))
            statistics.append(batch)
            return x

        for number, layer in enumerate(layers):
            spec, own = layer.spec, None if running else jax.random.fold_in(key, number)
            if layer.kind == "conv":
                x = conv(x, next(rest), spec.padding == "same")
                x = norm(x) if spec.batch_norm else x
                x = dropout((swept if number == 0 else relu)(x), 0 if running else spec.dropout, own)
                x = max_pool(x, spec.pool, spec.pool_same)
            elif layer.kind == "residual":
                y = relu(norm(relu(conv(x, next(rest), True))))
                y = norm(relu(conv(y, next(rest), True)))
                x = max_pool(relu(x + y), spec.pool, spec.pool_same)
            elif layer.kind == "dense":
                x = x.reshape(x.shape[0], -1) @ next(rest)
                x = dropout(relu(norm(x)), 0 if running else spec.dropout, own)
            else:
                x = x @ next(rest) + next(rest)
        return x, statistics

    return [p for layer in layers for p in layer.parameters], forward


def initialise(descriptions, key):
    def one(p, own):
        if p.role != "kernel":
            return jnp.full(p.shape, 1.0 if p.role == "gamma" else 0.0, jnp.float32)
        return p.deviation() * jax.random.truncated_normal(own, -2, 2, p.shape, jnp.float32)
    return [one(p, jax.random.fold_in(key, i)) for i, p in enumerate(descriptions)]
