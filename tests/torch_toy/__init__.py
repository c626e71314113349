"""A study whose trained models are real: a line fitted by gradient descent, in NumPy or in torch.

It is apart from the toy of `tests.toy`, which has no model worth the name: this one keeps the whole contract for
models, runs where neither the engine nor, for the NumPy model, torch is installed, and can be told to break it.
"""
