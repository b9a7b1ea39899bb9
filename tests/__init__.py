"""Tests of the pipeline and the store.

A worker has one core: threads for linear algebra, or ones that spin while they wait, would only
take the others' cores. The libraries read this when they are loaded, which is later.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
