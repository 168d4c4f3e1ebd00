"""Predicts with a zoo model in JAX on the CPU: one jitted function. How it is called: serve_predict.py."""
from keep_memory import keep_memory

keep_memory()

import numpy as np

import serve_predict
from jax_train_step import limit_threads


def main():
    args = serve_predict.arguments(__doc__)
    limit_threads(args)
    import jax
    import jax.numpy as jnp
    import jax_zoo
    descriptions, network = jax_zoo.build(args.model, args.activation)
    parameters = jax_zoo.initialise(descriptions, jax.random.key(1))
    running = [(jnp.zeros(p.shape), jnp.ones(p.shape)) for p in descriptions if p.role == "gamma"]
    forward = jax.jit(lambda x: network(parameters, x, running=running)[0])

    def predict(x, batch):
        logits = [forward(x[i:i + batch]) for i in range(0, len(x), batch)]  # they run while the next are asked for
        return np.concatenate(logits)

    serve_predict.run(args, "jax", jax.__version__, predict, serve_predict.sequences(args))


if __name__ == "__main__":
    main()
