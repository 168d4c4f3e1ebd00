"""Starts the calling script again with a malloc that gives no page back: faster steps on glibc, in every system."""
import os
import sys


def keep_memory():
    settings = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "16000000000",
                "MALLOC_TOP_PAD_": "268435456"}
    if any(os.environ.get(key) != value for key, value in settings.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **settings})
