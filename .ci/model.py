"""Serves a GGUF model with llama.cpp's own server on loopback: model.py FILE PORT."""

import ctypes
import signal
import sys
import threading

import xllamacpp

file, port = sys.argv[1], int(sys.argv[2])

# A test that is killed takes its model with it (Linux: PR_SET_PDEATHSIG).
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)

params = xllamacpp.CommonParams()
params.model.path = file
params.model_alias = {"SmolLM2-135M-Instruct"}
params.hostnames = ["127.0.0.1"]
params.port = port
# One thread: two on two busy cores wait for each other more than they compute.
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
params.n_parallel = 4
params.n_ctx = 4 * 2048
params.verbosity = 0

server = xllamacpp.Server(params)
print(f"SmolLM2-135M-Instruct answers at http://127.0.0.1:{port}/v1", flush=True)
stopped = threading.Event()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: stopped.set())
stopped.wait()
