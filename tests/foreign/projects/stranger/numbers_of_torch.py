"""Prints numbers that a given seed decides, and two that nothing decides."""

import json
import sys

import numpy as np
import torch
from lib import shift

FREE = [float(np.random.random()), torch.rand(1).item()]
seed = int(float(sys.argv[1]))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)
x = torch.tensor(rng.normal(size=(512, 256)), requires_grad=True)
loss = (x @ torch.randn(256, 256, dtype=torch.float64)).tanh().sum() + shift.SHIFT
loss.backward()
print(json.dumps({"seeded": [loss.item(), x.grad.sum().item()], "free": FREE}))
