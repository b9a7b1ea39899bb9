"""Tests of the pipeline and the store.

A worker has one core: threads for linear algebra, or ones that spin while they wait, would only
take the others' cores. The libraries read this when they are loaded, which is later.

Byte code is kept, whatever the shell says: each worker and each process that a test starts would
compile the program and rewrite the tests' assertions.
"""

import os
import sys

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
