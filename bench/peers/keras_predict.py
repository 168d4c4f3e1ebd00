"""Predicts with a zoo model in TensorFlow on the CPU: one tf.function, oneDNN on. How it is called: serve_predict.py."""
from keep_memory import keep_memory

keep_memory()

import numpy as np

import serve_predict
import tf_start


def main():
    args = serve_predict.arguments(__doc__)
    tf = tf_start.start(args.threads)
    import tf_zoo
    network = tf_zoo.Network(args.model, args.activation)
    forward = tf.function(lambda x: network(x, training=False))

    def predict(x, batch):
        return np.concatenate([forward(tf.constant(x[i:i + batch])).numpy() for i in range(0, len(x), batch)])

    serve_predict.run(args, "tensorflow", tf.__version__, predict, serve_predict.sequences(args))


if __name__ == "__main__":
    main()
