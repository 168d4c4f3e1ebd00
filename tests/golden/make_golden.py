"""Makes MODEL.h5 here: outputs, gradients and ten optimizer steps of every zoo model, in PyTorch float64.

    python make_golden.py [MODEL ...]            writes the files of these models (all by default)
    python make_golden.py --check [MODEL ...]    compares gradients with central differences, writes nothing
    python make_golden.py --float32 [MODEL ...]  how far PyTorch's own float32 is from the files: what a test can ask

Weights, sequences and labels are not stored: they are a function that a C test writes again.

  mix(x)      64-bit unsigned, wrapping:  x += 0x9E3779B97F4A7C15
                                          x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
                                          x = (x ^ (x >> 27)) * 0x94D049BB133111EB
                                          return x ^ (x >> 31)                       (splitmix64's output)
  h(tag, i)   mix(tag * 2^40 + i)
  u(tag, i)   (h(tag, i) >> 40) / 2^24          in [0, 1), exact in float32

Parameters are numbered in the model's order: for each block its kernel, bias if any, gamma and beta if it has a
batch norm; a residual block counts as two blocks; the out layer is the last block (kernel, bias). The number is the
tag. Element i counts in C order of Keras' shape: convolution kernels (K,C,F), dense kernels (In,Out), vectors.
All below is computed in float64 and rounded once to float32 (PyTorch then continues in float64):

  kernel      (2u - 1) * sqrt(6 / (fan_in + fan_out)), fan_in = K*C or In, fan_out = K*F or Out (residuals too)
  gamma       1 + 0.2 * (2u - 1)
  beta, bias  0.1 * (2u - 1); to the first block's beta the file's beta_shift is added for even filters and
              subtracted for odd ones (one rounding, of the sum)
  base        floor(4 * u(sequence_tag, n*L + l)), A C G T = 0 1 2 3, for sequence n of 8 and position l
  label       u(1001, n*classes + c) < 0.5 ? 1 : 0

beta_shift is 0, and 8 where the first activation is log: near its pole no float32 network can agree (PyTorch's own
misses by 4e-3), so both branches of |x| are taken away from it; the pole is the op tests' matter. sequence_tag is
1000 or the first from 1100 on whose network is steady: where no relu and no max pool sits so near to an edge that
weights shaken by 5e-6 of themselves, as rounding does, push an element over it and change the gradient in a jump
(2e-6 in basset and cnn-deep-1000, whose many elements leave hardly a steadier choice).

Batch norm uses the batch's own statistics (biased variance, eps 1e-3); dropout is off. The loss is binary
cross-entropy on the logits, the mean over batch and classes, without the L2 penalty. The exponential is
exp(min(x, 30)); no value reaches 30.

In each file, float64 unless said:
  logits      (8, classes) at the initial weights
  loss        (11) before each of ten steps and after the tenth; a step is Keras' Adam on gradient + 2*l2*w, lr 1e-3:
              m += (g - m)*(1 - 0.9), v += (g*g - v)*(1 - 0.999),
              w -= lr * sqrt(1 - 0.999^t) / (1 - 0.9^t) * m / (sqrt(v) + 1e-7)
  gradient/ii_blockB.ROLE   one group a parameter, ii its number; the data loss's gradient (no L2) at the start:
    norm          scalar, the 2-norm
    scale         scalar, what a relative tolerance is taken of: the norm; but where the gradient is zero by law
                  (beta before a pool so wide that relu never acts, then a dense layer with batch norm: cnn-2) and
                  the norm is rounding alone, the norm of the gradient of the same block's kernel
    sample_index  int32, every element if there are at most 2048, else element j * size // 2048 for j < 2048
    sample_value  the gradient there
    projection    (64) dot products with vectors of signs: vector j has +1 at element i if the top bit of
                  h(2000 + j, i) is set, else -1. The mean of (p_j - p'_j)^2 estimates |g - g'|^2.
  attributes of the file: model, activation, length, classes, batch, sequence_tag, beta_shift, l2_first (of the first
  kernel), adam_lr, made_with;
  of each gradient group: shape (Keras'), l2
"""
import argparse
import math
import pathlib
import sys

import h5py
import numpy as np
import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))
import torch_zoo  # noqa: E402

BATCH, STEPS, SAMPLES, VECTORS = 8, 10, 2048, 64
LABEL_TAG, SIGN_TAG = 1001, 2000
SEQUENCE_TAGS = (1000, *range(1100, 1900))
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-7
ACTIVATION = {"cnn-50": "relu", "basset": "softplus", "cnn-deep-log": "log", "cnn-deep-log-nol2": "log",
              "cnn-dist-log": "log", "cnn-dist-log-nol2": "log"}
SHAKE = {"basset": 2e-6, "cnn-deep-1000": 2e-6}  # 5e-6 elsewhere
STEADY_GRADIENT, STEADY_LOSS, SHAKES = 2e-4, 2e-4, 6


# ------------------------------------------------- the function behind the data

def h(tag, count):
    """h(tag, 0 .. count-1)"""
    x = np.uint64(tag << 40) + np.arange(count, dtype=np.uint64)
    x += np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def u(tag, count):
    return (h(tag, count) >> np.uint64(40)).astype(np.float64) / 2.0 ** 24


def signs(j, count):
    return np.where(h(SIGN_TAG + j, count) >> np.uint64(63), 1.0, -1.0)


def activation_of(name):
    return ACTIVATION.get(name, "exponential")


def beta_shift_of(name):
    return 8.0 if activation_of(name) == "log" else 0.0


def initial_value(number, parameter, beta_shift):
    """In Keras' shape, float64 that holds float32 values."""
    shape = parameter.keras_shape()
    centred = 2.0 * u(number, math.prod(shape)) - 1.0
    if parameter.role == "kernel":
        fan_in, fan_out = parameter.fans()
        value = centred * math.sqrt(6.0 / (fan_in + fan_out))
    elif parameter.role == "gamma":
        value = 1.0 + 0.2 * centred
    else:
        value = 0.1 * centred
        if parameter.name == "block0.beta":
            value += np.where(np.arange(value.size) % 2 == 0, beta_shift, -beta_shift)
    return value.astype(np.float32).astype(np.float64).reshape(shape)


def make_case(name, sequence_tag):
    """The network in float64 with its weights set, x (8,L,4), y (8,classes)."""
    model = torch_zoo.ZOO[name]
    network = torch_zoo.build(name, activation_of(name), dropout=False).double()
    network.train()  # batch statistics
    for number, parameter in enumerate(network.parameters_in_order()):
        with torch.no_grad():
            value = initial_value(number, parameter, beta_shift_of(name))
            parameter.tensor.copy_(parameter.from_keras(torch.from_numpy(value)))
    bases = np.floor(4 * u(sequence_tag, BATCH * model.length)).astype(np.int64).reshape(BATCH, model.length)
    labels = (u(LABEL_TAG, BATCH * model.classes) < 0.5).astype(np.float64).reshape(BATCH, model.classes)
    x = F.one_hot(torch.from_numpy(bases), 4).double()
    return network, x, torch.from_numpy(labels)


# ------------------------------------------------------------ what is recorded

def gradients(network, x, y):
    """Logits, loss, and the gradient of every parameter in Keras' shape."""
    entries = network.parameters_in_order()
    logits = network(x)
    loss = F.binary_cross_entropy_with_logits(logits, y)
    raw = torch.autograd.grad(loss, [e.tensor for e in entries])
    return logits.detach().numpy(), loss.item(), [e.to_keras(g).numpy() for e, g in zip(entries, raw)]


def adam_losses(network, x, y):
    """The data loss before each of STEPS steps and after the last."""
    entries = network.parameters_in_order()
    m = [0.0] * len(entries)
    v = [0.0] * len(entries)
    losses = []
    for t in range(1, STEPS + 1):
        loss = F.binary_cross_entropy_with_logits(network(x), y)
        losses.append(loss.item())
        raw = torch.autograd.grad(loss, [e.tensor for e in entries])
        rate = LEARNING_RATE * math.sqrt(1 - BETA2 ** t) / (1 - BETA1 ** t)
        with torch.no_grad():
            for i, (e, g) in enumerate(zip(entries, raw)):
                g = g + 2.0 * e.l2 * e.tensor
                m[i] = BETA1 * m[i] + (1 - BETA1) * g
                v[i] = BETA2 * v[i] + (1 - BETA2) * g * g
                e.tensor -= rate * m[i] / (torch.sqrt(v[i]) + EPSILON)
    losses.append(F.binary_cross_entropy_with_logits(network(x), y).item())
    return losses


def gradient_scales(entries, grads):
    """The norm of each gradient, or of its block's kernel's where it is zero but for rounding."""
    norms = [float(np.linalg.norm(g)) for g in grads]
    scales = []
    for entry, norm in zip(entries, norms):
        scales.append(norm if norm > 1e-12 * max(norms) else kernel_norm)
        if entry.role == "kernel":
            kernel_norm = norm
    return scales


def gradient_error(grads, golden, scales):
    return max(float(np.linalg.norm(a - b)) / s for a, b, s in zip(grads, golden, scales))


# ------------------------------------------------------------ steady sequences

def shaken(name, tag, seed):
    network, x, y = make_case(name, tag)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in network.parameters():
            noise = torch.rand(weights.shape, generator=generator, dtype=torch.float64)
            weights *= 1 + SHAKE.get(name, 5e-6) * (2 * noise - 1)
    return network, x, y


def is_steady(name, tag):
    network, x, y = make_case(name, tag)
    _, _, grads = gradients(network, x, y)
    scales = gradient_scales(network.parameters_in_order(), grads)
    for seed in range(SHAKES):
        if gradient_error(gradients(*shaken(name, tag, seed))[2], grads, scales) > STEADY_GRADIENT:
            return False
    losses = np.array(adam_losses(network, x, y))
    return all(np.all(abs(np.array(adam_losses(*shaken(name, tag, seed))) / losses - 1) < STEADY_LOSS)
               for seed in range(2))


def write_gradient(group, gradient, scale, l2):
    flat = gradient.reshape(-1)
    index = np.arange(flat.size) if flat.size <= SAMPLES else np.arange(SAMPLES) * flat.size // SAMPLES
    group.attrs["shape"] = np.array(gradient.shape, dtype=np.int32)
    group.attrs["l2"] = l2
    group["norm"] = np.float64(np.linalg.norm(flat))
    group["scale"] = np.float64(scale)
    group["sample_index"] = index.astype(np.int32)
    group["sample_value"] = flat[index]
    group["projection"] = np.array([signs(j, flat.size) @ flat for j in range(VECTORS)])


def make(name):
    tag = next(tag for tag in SEQUENCE_TAGS if is_steady(name, tag))
    network, x, y = make_case(name, tag)
    entries = network.parameters_in_order()
    logits, loss, grads = gradients(network, x, y)
    losses = adam_losses(network, x, y)
    assert losses[0] == loss and all(map(math.isfinite, losses))
    path = HERE / f"{name}.h5"
    unfinished = path.with_suffix(".unfinished")
    with h5py.File(unfinished, "w", libver="v108") as file:
        file.attrs.update({
            "model": name, "activation": activation_of(name), "length": np.int32(x.shape[1]),
            "classes": np.int32(y.shape[1]), "batch": np.int32(BATCH), "sequence_tag": np.int32(tag),
            "beta_shift": beta_shift_of(name), "l2_first": entries[0].l2, "adam_lr": LEARNING_RATE,
            "made_with": f"PyTorch {torch.__version__}, float64"})
        file["logits"], file["loss"] = logits, np.array(losses)
        scales = gradient_scales(entries, grads)
        for number, (entry, gradient, scale) in enumerate(zip(entries, grads, scales)):
            write_gradient(file.create_group(f"gradient/{number:02d}_{entry.name}"), gradient, scale, entry.l2)
    unfinished.replace(path)
    size = path.stat().st_size
    print(f"{name}\tsequence_tag {tag}\tloss {losses[0]:.6f} -> {losses[-1]:.6f}\t{len(entries)} parameters\t{size / 1000:.0f} kB",
          flush=True)
    assert size < 300_000, f"{path} is larger than a golden file may be"


def stored_tag(name):
    with h5py.File(HERE / f"{name}.h5") as file:
        return int(file.attrs["sequence_tag"])


def check_float32(name):
    """PyTorch's float32 against its float64."""
    tag = stored_tag(name)
    network, x, y = make_case(name, tag)
    logits, _, grads = gradients(network, x, y)
    scales = gradient_scales(network.parameters_in_order(), grads)
    losses = np.array(adam_losses(network, x, y))
    network, x, y = make_case(name, tag)
    network, x, y = network.float(), x.float(), y.float()
    logits32, _, grads32 = gradients(network, x, y)
    losses32 = np.array(adam_losses(network, x, y))
    print(f"{name}\tlogits {np.linalg.norm(logits32 - logits) / np.linalg.norm(logits):.1e}"
          f"\tgradients {gradient_error(grads32, grads, scales):.1e}"
          f"\tlosses {np.max(abs(losses32 / losses - 1)):.1e}", flush=True)


def check_differences(name, draws=3, step=1e-6):
    """Central differences at a few elements of every parameter."""
    network, x, y = make_case(name, stored_tag(name))
    _, _, grads = gradients(network, x, y)
    entries = network.parameters_in_order()
    scales = gradient_scales(entries, grads)
    pick = np.random.default_rng(0)
    worst = 0.0
    for entry, gradient, scale in zip(entries, grads, scales):
        for flat in pick.integers(gradient.size, size=draws):
            where = np.unravel_index(flat, gradient.shape)
            view = entry.to_keras(torch.arange(entry.tensor.numel()).reshape(entry.tensor.shape))
            position = np.unravel_index(int(view[where]), entry.tensor.shape)
            values = []
            with torch.no_grad():
                middle = entry.tensor[position].item()
                for side in (1, -1):
                    entry.tensor[position] = middle + side * step
                    values.append(F.binary_cross_entropy_with_logits(network(x), y).item())
                entry.tensor[position] = middle
            slope = (values[0] - values[1]) / (2 * step)
            worst = max(worst, abs(slope - gradient[where]) / scale)
    print(f"{name}\tlargest |difference - gradient| / scale: {worst:.1e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--check", action="store_true", help="compare with central differences instead")
    parser.add_argument("--float32", action="store_true", help="compare with PyTorch's float32 instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    task = check_differences if args.check else check_float32 if args.float32 else make
    for name in args.models or torch_zoo.ZOO:
        task(name)


if __name__ == "__main__":
    main()
