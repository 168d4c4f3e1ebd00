"""Times h5py reading every X_* and Y_* of a file into memory, or makes the files that are read.

    python h5py_read.py FILE                prints the seconds, without those of starting Python
    python h5py_read.py --make FILE         200,000 one-hot int8 sequences of 1000 bases, 12 classes, gzip, its own chunks
    python h5py_read.py --make-float FILE   100,000 one-hot float32 sequences of 200 bases, likewise
"""
import sys
import time

import h5py
import numpy as np


def make(path, sequences, length, kind, classes=12):
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        shape = (sequences, 4, length)
        x = file.create_dataset("X_train", shape, dtype=kind, compression="gzip", chunks=True)
        for first in range(0, sequences, x.chunks[0]):
            rows = min(x.chunks[0], sequences - first)
            bases = random.integers(0, 4, (rows, 1, length), dtype=np.int8)
            x[first:first + rows] = bases == np.arange(4, dtype=np.int8)[None, :, None]
        file.create_dataset("Y_train", data=(random.random((sequences, classes)) < 0.1).astype(kind), compression="gzip")


def read(path):
    start = time.perf_counter()
    with h5py.File(path, "r") as file:
        arrays = [file[name][:] for name in file if name[:2] in ("X_", "Y_")]
    return time.perf_counter() - start, arrays


if sys.argv[1] == "--make":
    make(sys.argv[2], 200_000, 1000, "i1")
elif sys.argv[1] == "--make-float":
    make(sys.argv[2], 100_000, 200, "f4")
else:
    print(f"{read(sys.argv[1])[0]:.6f}")
