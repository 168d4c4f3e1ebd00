"""Times one training step of a zoo model in TensorFlow on the CPU: forward, loss, backward, Adam, at batch 100.

Written as TensorFlow's own advice goes: the whole step one tf.function of fixed shapes, oneDNN on, as many threads as
cores, fused batch norm, inputs in place beforehand; --jit compiles it by XLA instead. --layers keras makes the network
of Keras' layers and uses its Adam. The L2 penalty, the clip of the exponential and the gathering of the batch are left
out, which favours TensorFlow. How it is called: serve.py.
"""
import os

from keep_memory import keep_memory

keep_memory()

import serve
import tf_start


def parse():
    parser = serve.arguments(__doc__)
    parser.add_argument("--jit", action="store_true")
    parser.add_argument("--layers", default="ops", choices=("ops", "keras"))
    return parser.parse_args()


def keras_network(args, layers):
    """The same network of Keras' own layers; weights in the order of `zoo.walk` are its trainable_weights."""
    import keras
    from keras import layers as k
    swept = {"relu": "relu", "exponential_unclipped": "exponential"}[args.activation]
    x = inputs = keras.Input((serve.ZOO[args.model].length, 4))

    def conv(x, filters, width, padding):
        return k.Conv1D(filters, width, padding=padding, use_bias=False)(x)

    def norm(x):
        return k.BatchNormalization(momentum=0.99, epsilon=1e-3)(x)

    def tail(x, spec, activation):
        x = k.Activation(activation)(x)
        x = k.Dropout(spec.dropout)(x) if getattr(spec, "dropout", 0) else x
        return pool(x, spec)

    def pool(x, spec):
        if getattr(spec, "pool", 1) == 1:
            return x
        return k.MaxPooling1D(spec.pool, padding="same" if spec.pool_same else "valid")(x)

    for number, layer in enumerate(layers):
        spec = layer.spec
        if layer.kind == "conv":
            x = tail(norm(conv(x, spec.filters, spec.width, spec.padding)), spec, "relu" if number else swept)
        elif layer.kind == "residual":
            y = k.Activation("relu")(norm(k.Activation("relu")(conv(x, layer.inputs, spec.width, "same"))))
            y = norm(k.Activation("relu")(conv(y, layer.inputs, spec.width, "same")))
            x = pool(k.Activation("relu")(k.Add()([x, y])), spec)
        else:
            x = x if len(x.shape) == 2 else k.Flatten()(x)
            if layer.kind == "dense":
                x = tail(norm(k.Dense(spec.units, use_bias=False)(x)), spec, "relu")
            else:
                x = k.Dense(layer.outputs)(x)
    return keras.Model(inputs, x)


class Step:
    def __init__(self, args):
        self.tf = tf = tf_start.start(args.threads)
        import tf_zoo
        tf.random.set_seed(args.seed)
        x, y = serve.one_hot_batch(args)
        if args.layers == "keras":
            import keras
            model = serve.ZOO[args.model]
            layers = list(tf_zoo.walk(tf_zoo.without_dropout(model) if args.no_dropout else model))
            network = keras_network(args, layers)
            self.weights = network.trainable_weights
            adam = keras.optimizers.Adam(1e-3, epsilon=1e-7)
            adam.build(self.weights)
            def update(gradients):
                adam.apply(gradients, self.weights)
        else:
            network = tf_zoo.Network(args.model, args.activation, not args.no_dropout)
            self.weights = network.weights
            first, second = ([tf.Variable(tf.zeros(w.shape)) for w in self.weights] for _ in range(2))
            powers = [tf.Variable(0.9), tf.Variable(0.999)]
            def update(gradients):
                # The check is against PyTorch, whose epsilon stands behind the bias correction.
                epsilon = 1e-7 * tf.sqrt(1 - powers[1]) if args.check else 1e-7
                if args.jit:  # ResourceApplyAdam's arithmetic, which XLA fuses
                    rate = 1e-3 * tf.sqrt(1 - powers[1]) / (1 - powers[0])
                    for w, m, v, g in zip(self.weights, first, second, gradients):
                        m.assign_add(0.1 * (g - m))
                        v.assign_add(0.001 * (g * g - v))
                        w.assign_sub(rate * m / (tf.sqrt(v) + epsilon))
                else:
                    for w, m, v, g in zip(self.weights, first, second, gradients):
                        tf.raw_ops.ResourceApplyAdam(
                            var=w.handle, m=m.handle, v=v.handle, beta1_power=powers[0], beta2_power=powers[1], lr=1e-3,
                            beta1=0.9, beta2=0.999, epsilon=epsilon, grad=g)
                powers[0].assign(powers[0] * 0.9)
                powers[1].assign(powers[1] * 0.999)
        self.x, self.y = tf.constant(x), tf.constant(y)

        @tf.function(jit_compile=args.jit)
        def step(x, y):
            with tf.GradientTape() as tape:
                z = network(x, training=True)
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z))
            update(tape.gradient(loss, self.weights))
            return loss

        self.step = step

    def set(self, parameters, x, y):
        self.x, self.y = self.tf.constant(x), self.tf.constant(y)
        for variable, value in zip(self.weights, parameters):
            variable.assign(value)

    def __call__(self):
        return self.step(self.x, self.y).numpy()


def main():
    args = parse()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[(args.core + i) % len(cores)] for i in range(args.threads)})
    step = Step(args)
    serve.run(args, "tensorflow", step.tf.__version__, step)


if __name__ == "__main__":
    main()
