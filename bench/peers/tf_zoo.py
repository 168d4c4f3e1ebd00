"""The zoo of expconv in TensorFlow: what our networks are compared with.

Inside, a tensor is (N,1,L,C), TensorFlow's own layout on a CPU, for oneDNN's convolution and the fused batch norm; a
step of it takes a little less than one of Keras' layers (keras_train_step.py --layers keras). Weights are plain variables
in Keras' layout, seen as (1,K,C,F). It does not train anything: see keras_train_step.py.
"""
import tensorflow as tf

from zoo import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, ZOO, walk, without_dropout

ACTIVATIONS = {"relu": tf.nn.relu, "exponential": lambda x: tf.exp(tf.minimum(x, 30.0)), "exponential_unclipped": tf.exp}


def conv(x, kernel, same):
    return tf.nn.conv2d(x, kernel[tf.newaxis], 1, "SAME" if same else "VALID")


def dropout(x, rate):
    return tf.nn.experimental.stateless_dropout(x, rate, tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32),
                                                rng_alg="philox") if rate else x


def max_pool(x, size, same):
    return tf.nn.max_pool2d(x, (1, size), (1, size), "SAME" if same else "VALID") if size > 1 else x


class Network(tf.Module):
    """Input (N,L,4), output logits (N,classes), always in training mode or always not."""

    def __init__(self, name, activation, with_dropout=True):
        super().__init__()
        self.layers = list(walk(ZOO[name] if with_dropout else without_dropout(ZOO[name])))
        self.swept = ACTIVATIONS[activation]
        self.weights, self.running = [], []
        for p in (p for layer in self.layers for p in layer.parameters):
            value = tf.random.truncated_normal(p.shape, stddev=p.deviation()) if p.role == "kernel" else \
                tf.ones(p.shape) if p.role == "gamma" else tf.zeros(p.shape)
            self.weights.append(tf.Variable(value))
            if p.role == "gamma":
                self.running.append((tf.Variable(tf.zeros(p.shape)), tf.Variable(tf.ones(p.shape))))

    def __call__(self, x, training):
        rest, running = iter(self.weights), iter(self.running)

        def norm(x):
            """(N,1,L,C). Batch statistics, and the running ones updated, in training."""
            gamma, beta, (mean, variance) = next(rest), next(rest), next(running)
            if not training:
                return tf.nn.batch_normalization(x, mean, variance, beta, gamma, BATCH_NORM_EPS)
            x, batch_mean, batch_variance = tf.compat.v1.nn.fused_batch_norm(
                x, gamma, beta, epsilon=BATCH_NORM_EPS, is_training=True)
            mean.assign_sub((1 - BATCH_NORM_MOMENTUM) * (mean - batch_mean))
            variance.assign_sub((1 - BATCH_NORM_MOMENTUM) * (variance - batch_variance))
            return x

        def drop(x, rate):
            return dropout(x, rate) if training else x

        x = x[:, tf.newaxis]
        for number, layer in enumerate(self.layers):
            spec = layer.spec
            if layer.kind == "conv":
                x = conv(x, next(rest), spec.padding == "same")
                x = norm(x) if spec.batch_norm else x
                x = drop((self.swept if number == 0 else tf.nn.relu)(x), spec.dropout)
                x = max_pool(x, spec.pool, spec.pool_same)
            elif layer.kind == "residual":
                y = tf.nn.relu(norm(tf.nn.relu(conv(x, next(rest), True))))
                y = norm(tf.nn.relu(conv(y, next(rest), True)))
                x = max_pool(tf.nn.relu(x + y), spec.pool, spec.pool_same)
            elif layer.kind == "dense":
                x = tf.reshape(x, (-1, layer.inputs)) @ next(rest)
                x = tf.reshape(norm(x[:, tf.newaxis, tf.newaxis]), (-1, layer.outputs))
                x = drop(tf.nn.relu(x), spec.dropout)
            else:
                x = x @ next(rest) + next(rest)
        return x
