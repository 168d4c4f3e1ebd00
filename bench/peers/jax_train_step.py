"""Times one training step of a zoo model in JAX on the CPU: forward, loss, backward, Adam, at batch 100.

Written as JAX's own advice goes: one jitted function for the whole step, its state donated, the cheap random numbers
(rbg), inputs in place beforehand; with --trials T a sweep's form, vmap over T trials that differ in weights and dropout.
The L2 penalty, the clip of the exponential and the gathering of the batch are left out, which favours JAX. How it is
called: serve.py. --threads cores are those the process may run on, which is what XLA's thread pool goes by.
"""
import os

from keep_memory import keep_memory

keep_memory()

import serve


def parse():
    parser = serve.arguments(__doc__)
    parser.add_argument("--convolution", default="lax")
    parser.add_argument("--random", default="rbg", choices=("threefry2x32", "rbg", "unsafe_rbg"))
    return parser.parse_args()


def limit_threads(args):
    """Before JAX is imported."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[(args.core + i) % len(cores)] for i in range(args.threads)})
    flags = os.environ.get("XLA_FLAGS", "")
    if args.threads == 1:
        flags += " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = flags
    os.environ["JAX_PLATFORMS"] = "cpu"


class Step:
    def __init__(self, args):
        import jax
        import jax.numpy as jnp
        import jax_zoo
        jax.config.update("jax_default_prng_impl", args.random)
        self.trials = args.trials
        descriptions, forward = jax_zoo.build(args.model, args.activation, not args.no_dropout, args.convolution)

        def loss_of(parameters, x, y, key):
            z, statistics = forward(parameters, x, key)
            return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))), statistics

        def one(parameters, first, second, running, count, key, x, y):
            key = jax.random.fold_in(key, count)
            (loss, statistics), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, x, y, key)
            running = jax.tree.map(lambda r, b: 0.99 * r + 0.01 * b, running, statistics)
            first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients)]
            second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients)]
            t = (count + 1).astype(jnp.float32)
            rate, root = 1e-3 / (1 - 0.9 ** t), jnp.sqrt(1 - 0.999 ** t)
            parameters = [w - rate * m / (jnp.sqrt(v) / root + 1e-7) for w, m, v in zip(parameters, first, second)]
            return loss, parameters, first, second, running

        if args.trials > 1:
            one_trial = one
            one = jax.vmap(one_trial, in_axes=(0, 0, 0, 0, None, 0, 0, 0))

        def step(state, x, y):
            parameters, first, second, running, count, key = state
            loss, parameters, first, second, running = one(parameters, first, second, running, count, key, x, y)
            return loss, (parameters, first, second, running, count + 1, key)

        self.step = jax.jit(step, donate_argnums=0)
        self.jax, self.jnp = jax, jnp
        key = jax.random.key(args.seed)
        self.key = jax.random.split(key, args.trials) if args.trials > 1 else key
        self.statistics = [p.shape for p in descriptions if p.role == "gamma"]
        x, y = serve.one_hot_batch(args)
        self.set(jax_zoo.initialise(descriptions, key), x, y)

    def set(self, parameters, x, y):
        """The same weights and batch for every trial; dropout differs."""
        jnp = self.jnp
        def repeat(a):
            return jnp.array(jnp.broadcast_to(jnp.asarray(a), (self.trials, *a.shape)) if self.trials > 1 else a)
        def zeros():
            return [jnp.zeros_like(repeat(p)) for p in parameters]
        running = [(jnp.zeros_like(repeat(jnp.zeros(s))), jnp.ones_like(repeat(jnp.ones(s)))) for s in self.statistics]
        self.x, self.y = repeat(x), repeat(y)
        self.state = ([repeat(p) for p in parameters], zeros(), zeros(), running, jnp.zeros((), jnp.int32), self.key)

    def __call__(self):
        loss, self.state = self.step(self.state, self.x, self.y)
        return self.jax.block_until_ready(loss)


def main():
    args = parse()
    limit_threads(args)
    step = Step(args)
    serve.run(args, "jax", step.jax.__version__, step)


if __name__ == "__main__":
    main()
