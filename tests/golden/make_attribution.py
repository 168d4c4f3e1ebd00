"""Makes attribution/MODEL.ACTIVATION.h5 here: what attribution methods must give, in PyTorch float64.

    python make_attribution.py [CASE ...]            writes the files of these cases (all by default)
    python make_attribution.py --check [CASE ...]    holds deepshap against Captum and tangermeme, integrated gradients
                                                     against their sum's law, gradients against differences
    python make_attribution.py --float32 [CASE ...]  how far PyTorch's own float32 is from the files, of each method

The function behind the data is that of make_golden.py: h(tag, i) and u(tag, i), and kernels, gammas, betas and biases
with the parameter's number as the tag, beta_shift included. A case is a model of the zoo with an activation in its
first block. The network is in inference mode: batch norm uses running statistics, dropout is off. Batch norms are
numbered in the model's order, j = 0, 1, ...; a residual block has two. All below is computed in float64; the running
statistics are rounded once to float32:

  running mean      0.1 * (2u(3000 + j, i) - 1)
  running variance  0.5 + u(3100 + j, i)
  sequence          n of 4, position l: floor(4 * u(T, l)), A C G T = 0 1 2 3, with T = sequence_tag[n]; but sequence 3
                    has an N where u(T + 1, l) < 0.03
  background        b of 3 of sequence n: floor(4 * u(T + 2, b*L + l)); but background 2 of sequence 3 has an N where
                    u(T + 3, l) < 0.03

Every sequence has its own three backgrounds. An N is a column of zeros. sequence_tag[n] is the first of 4000 + 1000n,
4010 + 1000n, ... that is steady: its saliency and integrated gradients change by less than 5e-5 of their norm when all
weights are shaken by 4e-6 of themselves, more than rounding does. At others the shaking pushes an element over the
edge of a relu or a max pool at one of the 46 points where gradients are taken, and they jump by 1e-3 to 5e-2 of their
norm: no two float32 programs agree there. Mutagenesis and deepshap do not jump. beta_shift is 2 where the activation
is log, else 0: in inference mode that keeps 0.3 away from the pole, and 8 as in make_golden.py would leave differences
so small beside their terms that float32 loses three digits of them.

Explained is class 1, or 0 where there is one class, twice: the groups `logit` and `probability`, the logistic
function of the logit. One-hot sequences are (4,L), rows A C G T. With x a sequence and b its backgrounds, a group has
(maps as float32, their mantissas rounded to 15 bits, so within 1.6e-5 of themselves):

  output                 (4) of the sequences, float64
  background_output      (4,3) of the backgrounds, float64
  saliency/hypothetical  (4,4,L) the gradient at x
  mutagenesis/
    hypothetical         (4,4,L) output with base c at position l, less the output; 0 where c is there; at an N the
                         difference that each of the four bases makes to the zeros
    contributions        (4,4,L) norm over c of these, at the base that is there; zeros at an N
  integrated_left/, integrated_midpoint/, integrated_gauss/, deepshap/
    contributions        (4,4,L) mean over backgrounds of m * (x - b)
    hypothetical         (4,4,L) mean over backgrounds of m[c,l] - sum over c' of m[c',l] b[c',l]
    gap                  (4) sum of the contributions - (output - mean of background_output), float64

Contributions of saliency are hypothetical * x. m of integrated gradients is the sum over 5 points t of weight times
the gradient at b + t (x - b), computed as one: t = k/5 (left), (k + 1/2)/5 (midpoint), both with weights 1/5; or the
points and weights of Gauss and Legendre, moved to [0,1].

m of deepshap (rescale rule) goes backward through the network as a gradient does, of sequence and background at once.
Convolutions, dense layers and batch norm: as gradients. An elementwise function (activations; the logistic function
of `probability`): (output of x - output of b) / (input of x - input of b), and where the inputs are within 1e-7 the
derivative in the middle. A max pool, whose window gives y for x and r for b: (y - r) / (u[i] - v[i]) at one position i
of the window, with u and v what went in for x and b: where y >= r the first i with u[i] = y, else the first with
v[i] = r; zero at all others, and at i where y = r. A sum (residual block) hands m to both.

The file's own dataset is sequence_tag (4), int32; its attributes are model, activation, length, classes, class,
sequences, backgrounds, steps, beta_shift and made_with.
"""
import argparse
import math

import h5py
import numpy as np
import torch
from torch.nn import functional as F

import make_golden  # noqa: F401 (finds the peers' folder)
import zoo
from make_golden import HERE, initial_value, torch_zoo, u

CASES = {f"{model}.{activation}": (model, activation) for model, activation in (
    ("cnn-local", "relu"), ("cnn-local", "exponential"), ("cnn-deep", "exponential"), ("cnn-deep", "tanh"),
    ("residualbind", "exponential"), ("cnn-50", "relu"), ("cnn-dist-log", "log"))}
SEQUENCES, BACKGROUNDS, STEPS = 4, 3, 5
MEAN_TAG, VARIANCE_TAG, SEQUENCE_TAG, NEXT_SEQUENCE, TAGS = 3000, 3100, 4000, 1000, range(0, 1000, 10)
N, N_PART = 4, 0.03
SAME_INPUT = 1e-7
SHAKE, SHAKES, STEADY = 4e-6, 10, 5e-5
RULES = "left", "midpoint", "gauss"
LARGEST_FILE = 450_000
FOLDER = HERE / "attribution"


# ------------------------------------------------------------------- the case

def batch_norms(network):
    """In the model's order: modules are registered in it."""
    return [m for m in network.modules() if isinstance(m, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d))]


def beta_shift_of(activation):
    return 2.0 if activation == "log" else 0.0


def make_network(model, activation):
    network = torch_zoo.build(model, activation, dropout=False).double().eval().requires_grad_(False)
    for number, parameter in enumerate(network.parameters_in_order()):
        value = torch.from_numpy(initial_value(number, parameter, beta_shift_of(activation)))
        parameter.tensor.copy_(parameter.from_keras(value))
    for j, norm in enumerate(batch_norms(network)):
        count = norm.num_features
        norm.running_mean.copy_(torch.from_numpy(0.1 * (2 * u(MEAN_TAG + j, count) - 1)).float())
        norm.running_var.copy_(torch.from_numpy(0.5 + u(VARIANCE_TAG + j, count)).float())
    return network


def one_hot(codes):
    return F.one_hot(torch.from_numpy(codes), 5)[..., :N].double()


def make_sequence(n, length, tag):
    """x (1,L,4), backgrounds (1,3,L,4): the bases last, as torch_zoo takes them. None where there are too few N or too
    many."""
    x = np.floor(4 * u(tag, length)).astype(np.int64)
    b = np.floor(4 * u(tag + 2, BACKGROUNDS * length)).astype(np.int64).reshape(BACKGROUNDS, length)
    if n == 3:
        x[u(tag + 1, length) < N_PART] = N
        b[2][u(tag + 3, length) < N_PART] = N
        if not all(2 <= np.sum(codes == N) <= 20 for codes in (x, b)):
            return None
    return one_hot(x)[None], one_hot(b)[None]


def make_sequences(length, tags):
    """x (4,L,4), backgrounds (4,3,L,4)"""
    x, b = zip(*(make_sequence(n, length, int(tag)) for n, tag in enumerate(tags)))
    return torch.cat(x), torch.cat(b)


def explained(network, probability, class_index):
    """(N,L,4) → (N)"""
    def output(x):
        logit = network(x)[:, class_index]
        return torch.sigmoid(logit) if probability else logit
    return output


def gradient(output, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(output(x).sum(), x)[0]


# -------------------------------------------------------------------- methods

def mutagenesis(output, x):
    """Every base at every position, also the one that is there."""
    differences = torch.zeros_like(x)
    with torch.no_grad():
        reference = output(x)
        for l in range(x.shape[1]):
            changed = x.unsqueeze(1).repeat(1, 4, 1, 1)
            changed[:, :, l] = torch.eye(4, dtype=x.dtype)
            differences[:, l] = output(changed.flatten(0, 1)).reshape(-1, 4) - reference[:, None]
    differences[x == 1] = 0
    return differences, differences.norm(dim=-1, keepdim=True) * x


def quadrature(rule, steps):
    """Points and weights on [0,1]."""
    if rule == "gauss":
        points, weights = np.polynomial.legendre.leggauss(steps)
        return (points + 1) / 2, weights / 2
    return (np.arange(steps) + (0.5 if rule == "midpoint" else 0.0)) / steps, np.full(steps, 1 / steps)


def integrated_gradients(output, x, backgrounds, rule, steps=STEPS):
    """m (n,b,L,4)"""
    total = torch.zeros_like(backgrounds)
    for point, weight in zip(*quadrature(rule, steps)):
        between = backgrounds + float(point) * (x[:, None] - backgrounds)
        total += float(weight) * gradient(output, between.flatten(0, 1)).reshape(total.shape)
    return total


def summarise(m, x, backgrounds):
    """contributions, hypothetical, both (n,L,4)"""
    contributions = (m * (x[:, None] - backgrounds)).mean(1)
    hypothetical = (m - (m * backgrounds).sum(-1, keepdim=True)).mean(1)
    return contributions, hypothetical


# ------------------------------------------------------------------- deepshap

class Rescale(torch.autograd.Function):
    """An elementwise function of pairs (2n,...): n of sequences, then n of their backgrounds. What comes back for the
    first half is the multiplier; the second half is given zeros."""
    same_input = SAME_INPUT

    @staticmethod
    def forward(ctx, pairs, function):
        outputs = function(pairs.clone())  # some work in place
        ctx.save_for_backward(pairs, outputs)
        ctx.function = function
        return outputs

    @staticmethod
    def backward(ctx, gradient_of_output):
        pairs, outputs = ctx.saved_tensors
        (a, b), (out_a, out_b) = pairs.chunk(2), outputs.chunk(2)
        with torch.enable_grad():
            middle = ((a + b) / 2).detach().requires_grad_()
            slope = torch.autograd.grad(ctx.function(middle.clone()).sum(), middle)[0]
        near = abs(a - b) < Rescale.same_input
        multiplier = torch.where(near, slope, (out_a - out_b) / torch.where(near, 1.0, a - b))
        upper = gradient_of_output.chunk(2)[0]
        return torch.cat([upper * multiplier, torch.zeros_like(upper)]), None


class RescalePool(torch.autograd.Function):
    """Maxima of windows (2n,...,size) of pairs."""

    @staticmethod
    def forward(ctx, windows):
        ctx.save_for_backward(windows)
        return windows.max(-1).values

    @staticmethod
    def backward(ctx, gradient_of_output):
        a, b = ctx.saved_tensors[0].chunk(2)
        at_a, at_b = a.argmax(-1, keepdim=True), b.argmax(-1, keepdim=True)
        y, r = a.gather(-1, at_a), b.gather(-1, at_b)
        at = torch.where(y >= r, at_a, at_b)
        below = a.gather(-1, at) - b.gather(-1, at)
        share = torch.where(y == r, torch.zeros_like(y), (y - r) / torch.where(y == r, torch.ones_like(y), below))
        upper = gradient_of_output.chunk(2)[0]
        lower = torch.zeros_like(a).scatter(-1, at, share * upper.unsqueeze(-1))
        return torch.cat([lower, torch.zeros_like(lower)])


def pool_windows(x, size, same):
    """(N,C,1,L) → (N,C,1,windows,size)"""
    missing = -x.shape[-1] % size if same else 0
    if missing:
        x = F.pad(x, (missing // 2, missing - missing // 2), value=-math.inf)
    return x.unfold(-1, size, size)


def forward_of_pairs(network, x, relu=F.relu):
    """The network again, written with the two functions above."""
    def pool(x, layer):
        return RescalePool.apply(pool_windows(x, layer.pool, layer.pool_same)) if layer.pool > 1 else x
    x = x.permute(0, 2, 1).unsqueeze(2)
    for layer in network.layers:
        if isinstance(layer, torch_zoo.ConvBlock):
            x = pool(Rescale.apply(layer.norm(layer.conv(x)), layer.activation), layer)
        elif isinstance(layer, torch_zoo.ResidualBlock):
            y = Rescale.apply(layer.norm1(Rescale.apply(layer.conv1(x), relu)), relu)
            y = layer.norm2(Rescale.apply(layer.conv2(y), relu))
            x = pool(Rescale.apply(x + y, relu), layer)
        elif isinstance(layer, torch_zoo.DenseBlock):
            x = Rescale.apply(layer.norm(layer.dense(x)), relu)
        else:
            x = layer(x)  # Flatten, the out layer
    return x


def deepshap(network, x, backgrounds, probability, class_index, relu=F.relu):
    """m (n,b,L,4)"""
    pairs = torch.cat([x[:, None].expand_as(backgrounds).flatten(0, 1), backgrounds.flatten(0, 1)]).requires_grad_()
    logits = forward_of_pairs(network, pairs, relu)
    if relu is F.relu:
        assert torch.allclose(logits, network(pairs), rtol=1e-5 if x.dtype == torch.float32 else 1e-12, atol=1e-4)
    output = logits[:, class_index]
    if probability:
        output = Rescale.apply(output, torch.sigmoid)
    multipliers = torch.autograd.grad(output.chunk(2)[0].sum(), pairs)[0]
    return multipliers.chunk(2)[0].reshape(backgrounds.shape)


# ------------------------------------------------------------- all of a case

def class_of(network):
    return 1 if network.layers[-1].out_features > 1 else 0


def attribute(network, x, backgrounds, probability):
    """All that a group holds, by name; maps with the bases last."""
    output = explained(network, probability, class_of(network))
    with torch.no_grad():
        of_x = output(x)
        of_backgrounds = output(backgrounds.flatten(0, 1)).reshape(backgrounds.shape[:2])
    found = {"output": of_x, "background_output": of_backgrounds, "saliency/hypothetical": gradient(output, x)}
    found["mutagenesis/hypothetical"], found["mutagenesis/contributions"] = mutagenesis(output, x)
    multipliers = {f"integrated_{rule}": integrated_gradients(output, x, backgrounds, rule)
                   for rule in RULES}
    multipliers["deepshap"] = deepshap(network, x, backgrounds, probability, class_of(network))
    for method, m in multipliers.items():
        contributions, hypothetical = summarise(m, x, backgrounds)
        found[f"{method}/contributions"], found[f"{method}/hypothetical"] = contributions, hypothetical
        found[f"{method}/gap"] = contributions.sum((1, 2)) - (of_x - of_backgrounds.mean(1))
    if x.dtype == torch.float64:
        assert found["deepshap/gap"].abs().max() < 1e-9, found["deepshap/gap"]
    return found


def is_map(name):
    return name.endswith(("hypothetical", "contributions"))


def distances(found, golden):
    """By name of a map: the largest distance of a sequence's map, as a part of its norm."""
    return {name: ((found[name] - golden[name]).norm(dim=(1, 2)) / golden[name].norm(dim=(1, 2))).max().item()
            for name in golden if is_map(name)}


def shaken(model, activation, seed):
    network = make_network(model, activation)
    generator = torch.Generator().manual_seed(seed)
    for weights in network.parameters():
        weights *= 1 + SHAKE * (2 * torch.rand(weights.shape, generator=generator, dtype=torch.float64) - 1)
    return network


def gradient_maps(network, x, backgrounds):
    """Those that may jump."""
    output = explained(network, False, class_of(network))
    maps = {"saliency/hypothetical": gradient(output, x)}
    for rule in RULES:
        m = integrated_gradients(output, x, backgrounds, rule)
        maps[f"{rule}/contributions"], maps[f"{rule}/hypothetical"] = summarise(m, x, backgrounds)
    return maps


def steady_tags(model, activation):
    """The first steady tag of each sequence."""
    network = make_network(model, activation)
    others = [shaken(model, activation, seed) for seed in range(SHAKES)]

    def is_steady(data):
        golden = gradient_maps(network, *data)
        return all(max(distances(gradient_maps(other, *data), golden).values()) < STEADY for other in others)
    for n in range(SEQUENCES):
        for tag in TAGS:
            tag += SEQUENCE_TAG + n * NEXT_SEQUENCE
            data = make_sequence(n, torch_zoo.ZOO[model].length, tag)
            if data and is_steady(data):
                yield tag
                break
        else:
            raise SystemExit(f"{model}.{activation}: no steady sequence {n}")


def rounded(values):
    """float32 of 15 bits of mantissa: they compress."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7F) + ((bits >> np.uint32(8)) & np.uint32(1))) & np.uint32(0xFFFFFF00)).view(np.float32)


def write_group(group, found):
    for name, value in found.items():
        value = value.numpy()
        if is_map(name):
            value = rounded(value.transpose(0, 2, 1))
            group.create_dataset(name, data=value, chunks=value.shape, compression="gzip", compression_opts=9,
                                 shuffle=True)
        else:
            group[name] = value


def make(case):
    model, activation = CASES[case]
    network, length = make_network(model, activation), torch_zoo.ZOO[model].length
    tags = list(steady_tags(model, activation))
    data = make_sequences(length, tags)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{case}.h5"
    unfinished = path.with_suffix(".unfinished")
    with h5py.File(unfinished, "w", libver="v110") as file:
        file.attrs.update({
            "model": model, "activation": activation, "length": np.int32(length),
            "classes": np.int32(network.layers[-1].out_features), "class": np.int32(class_of(network)),
            "sequences": np.int32(SEQUENCES), "backgrounds": np.int32(BACKGROUNDS), "steps": np.int32(STEPS),
            "beta_shift": beta_shift_of(activation), "made_with": f"PyTorch {torch.__version__}, float64"})
        file["sequence_tag"] = np.array(tags, np.int32)
        for name in ("logit", "probability"):
            found = attribute(network, *data, name == "probability")
            write_group(file.create_group(name), found)
            assert all(torch.isfinite(value).all() for value in found.values())
            gaps = "  ".join(f"{m.split('/')[0]} {g.abs().max():.1e}" for m, g in found.items() if m.endswith("gap"))
            print(f"{case}\ttags {tags}\t{name} {found['output'].numpy().round(3)}"
                  f"\tbackgrounds {found['background_output'].numpy().round(3).reshape(-1)}\tgaps: {gaps}", flush=True)
    unfinished.replace(path)
    size = path.stat().st_size
    print(f"{case}\t{size / 1000:.0f} kB", flush=True)
    assert size < LARGEST_FILE, f"{path} is larger than a golden file may be"


# --------------------------------------------------------------------- checks

def stored(case):
    """network, (x, backgrounds), the file's maps by group and name"""
    model, activation = CASES[case]
    with h5py.File(FOLDER / f"{case}.h5") as file:
        tags = file["sequence_tag"][...]
        golden = {group: {} for group in ("logit", "probability")}
        for group in golden:
            def take(name, item):
                if isinstance(item, h5py.Dataset):
                    value = torch.from_numpy(item[...]).double()
                    golden[group][name] = value.transpose(1, 2) if is_map(name) else value
            file[group].visititems(take)
    return make_network(model, activation), make_sequences(torch_zoo.ZOO[model].length, tags), golden


def check_float32(case):
    network, data, golden = stored(case)
    network, data = network.float(), [part.float() for part in data]
    for group in golden:
        for same_input in (1e-7, 1e-5, 1e-3):
            Rescale.same_input = same_input
            found = {name: value.double() for name, value in attribute(network, *data, group == "probability").items()}
            off = distances(found, golden[group])
            if same_input == SAME_INPUT:
                print(f"{case}\t{group}\t" + "  ".join(f"{n} {d:.1e}" for n, d in off.items() if "deepshap" not in n))
            print(f"{case}\t{group}\tderivatives within {same_input:.0e}:\t"
                  + "  ".join(f"{n} {d:.1e}" for n, d in off.items() if "deepshap" in n), flush=True)
    Rescale.same_input = SAME_INPUT


def check_linear():
    """Where no function is left that is not linear, deepshap and integrated gradients are the gradient."""
    model = zoo.Model("linear", 50, 2, (
        zoo.Conv(8, 19, activation="linear"), zoo.Conv(6, 5, "valid", "linear"), zoo.Dense(16)))
    torch.manual_seed(1)
    network = torch_zoo.Network(model, "linear").double().eval().requires_grad_(False)
    x, backgrounds = torch.rand(4, 50, 4).double(), torch.rand(4, 3, 50, 4).double()

    def linear(x):
        return x
    output = lambda x: forward_of_pairs(network, torch.cat([x, x]), linear).chunk(2)[0][:, 1]  # noqa: E731
    expected = gradient(output, x)[:, None]
    m = deepshap(network, x, backgrounds, False, 1, linear)
    worst = max((m - expected).abs().max().item(),
                (integrated_gradients(output, x, backgrounds, "gauss") - expected).abs().max().item())
    print(f"linear\tlargest |multiplier - gradient|: {worst:.1e} of {expected.abs().max():.1e}")
    assert worst < 1e-12


def peers_multipliers(network, x, backgrounds, class_index):
    """m (n,b,4,L) by Captum and by tangermeme, whichever are installed."""
    import module_zoo
    modules = module_zoo.build(network)
    pairs = x[:, None].expand_as(backgrounds).flatten(0, 1).transpose(1, 2)
    references = backgrounds.flatten(0, 1).transpose(1, 2)
    try:
        from captum.attr import DeepLift
        from captum.attr._core import deep_lift
        deep_lift.SUPPORTED_NON_LINEAR.update({kind: deep_lift.nonlinear for kind in module_zoo.others(modules)})
        m = DeepLift(modules, multiply_by_inputs=False).attribute(pairs, references, target=class_index)
        yield "captum", m.detach()
    except ImportError:
        print("no captum here")
    try:
        from tangermeme import deep_lift_shap as tangermeme
        m = tangermeme.deep_lift_shap(
            modules, pairs, references=references[:, None], target=class_index, raw_outputs=True, device="cpu",
            only_warn=True,  # it would have no N
            additional_nonlinear_ops={kind: tangermeme._nonlinear for kind in module_zoo.others(modules)})
        yield "tangermeme", m.detach()[:, 0]
    except ImportError:
        print("no tangermeme here")


def check(case):
    network, (x, backgrounds), golden = stored(case)
    output = explained(network, False, class_of(network))
    with torch.no_grad():
        gain = output(x) - output(backgrounds.flatten(0, 1)).reshape(backgrounds.shape[:2]).mean(1)
    for group in golden:
        off = distances(attribute(network, x, backgrounds, group == "probability"), golden[group])
        print(f"{case}\t{group}\tthe file and this computation: {max(off.values()):.1e}")
        assert max(off.values()) < 2e-5
    for rule in ("midpoint", "gauss"):
        for steps in (STEPS, 50, 500):
            contributions = summarise(integrated_gradients(output, x, backgrounds, rule, steps), x, backgrounds)[0]
            off = (contributions.sum((1, 2)) - gain).abs().max().item()
            scale = contributions.abs().sum((1, 2)).max()
            print(f"{case}\tintegrated gradients, {rule}, {steps} steps: gap {off:.1e}, of contributions that in size "
                  f"sum to {scale:.1e}")
        assert off < 1e-3 * scale
    slope, step = gradient(output, x), 1e-6
    for n, l, c in ((0, 3, 1), (1, 100, 2), (3, 150, 0)):
        with torch.no_grad():
            low, high = x.clone(), x.clone()
            low[n, l, c] -= step
            high[n, l, c] += step
            central = ((output(high) - output(low)) / (2 * step))[n]
        assert abs(central - slope[n, l, c]) < 1e-6 * slope.abs().max(), (central, slope[n, l, c])
    ours = deepshap(network, x, backgrounds, False, class_of(network))
    worst = 0.0
    for name, theirs in peers_multipliers(network, x, backgrounds, class_of(network)):
        theirs = theirs.reshape(*ours.shape[:2], 4, -1).transpose(2, 3)
        found = summarise(theirs, x, backgrounds)
        off = [((a - b).norm(dim=(1, 2)) / b.norm(dim=(1, 2))).max().item()
               for a, b in zip(found, summarise(ours, x, backgrounds))]
        gap = (found[0].sum((1, 2)) - gain).abs().max().item()
        worst = max([worst, *off])
        print(f"{case}\t{name}: contributions differ by {off[0]:.1e} of their norm, hypothetical {off[1]:.1e}; "
              f"its gap {gap:.1e}", flush=True)
    assert worst < 1e-9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--check", action="store_true", help="hold it against laws and other implementations instead")
    parser.add_argument("--float32", action="store_true", help="compare with PyTorch's float32 instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    check_linear()
    task = check if args.check else check_float32 if args.float32 else make
    for case in args.cases or CASES:
        task(case)


if __name__ == "__main__":
    main()
