"""Times h5py reading every X_* and Y_* of a file into memory, or makes the large file that is read.

    python h5py_read.py FILE            prints the seconds, without those of starting Python
    python h5py_read.py --make FILE     200,000 one-hot int8 sequences of 1000 bases, 12 classes, gzip, its own chunks
"""
import sys
import time

import h5py
import numpy as np


def make(path, sequences=200_000, length=1000, classes=12):
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        shape = (sequences, 4, length)
        x = file.create_dataset("X_train", shape, dtype="i1", compression="gzip", chunks=True)
        for first in range(0, sequences, x.chunks[0]):
            rows = min(x.chunks[0], sequences - first)
            bases = random.integers(0, 4, (rows, 1, length), dtype=np.int8)
            x[first:first + rows] = bases == np.arange(4, dtype=np.int8)[None, :, None]
        file.create_dataset("Y_train", data=(random.random((sequences, classes)) < 0.1).astype("i1"), compression="gzip")


def read(path):
    start = time.perf_counter()
    with h5py.File(path, "r") as file:
        arrays = [file[name][:] for name in file if name[:2] in ("X_", "Y_")]
    return time.perf_counter() - start, arrays


if sys.argv[1] == "--make":
    make(sys.argv[2])
else:
    print(f"{read(sys.argv[1])[0]:.6f}")
