"""Predicts with a zoo model in TensorFlow on the CPU: one tf.function, oneDNN on. How it is called: serve_predict.py."""
import os

from keep_memory import keep_memory

keep_memory()
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

import serve_predict


def main():
    args = serve_predict.arguments(__doc__)
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import tf_zoo
    network = tf_zoo.Network(args.model, args.activation)
    forward = tf.function(lambda x: network(x, training=False))

    def predict(x, batch):
        return np.concatenate([forward(tf.constant(x[i:i + batch])).numpy() for i in range(0, len(x), batch)])

    serve_predict.run(args, "tensorflow", tf.__version__, predict, serve_predict.sequences(args))


if __name__ == "__main__":
    main()
