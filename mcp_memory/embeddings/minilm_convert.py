"""The published MiniLM weights as a CTranslate2 model in int8."""

import json
from pathlib import Path
from typing import Any

from mcp_memory.embeddings.extras import import_extra
from mcp_memory.embeddings.minilm_files import INSTALL_COMMAND

LAYERS, HEADS = 6, 12
# Both libraries are untyped: this module is their edge, and `Any` stays inside it.


def convert(source: Path, folder: Path) -> str:
    """Writes the model into the empty `folder`; gives the name and version of the converter."""
    ctranslate2 = _import("ctranslate2")
    weights = _import("safetensors.numpy").load_file(source / "model.safetensors")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    spec = _model_spec()
    _fill_embeddings(spec.encoder, weights)
    for number, layer in enumerate(spec.encoder.layer):
        _fill_layer(layer, weights, f"encoder.layer.{number}")
    spec.register_vocabulary(_tokens_by_id(source / "tokenizer.json"))
    spec.config.unk_token = "[UNK]"
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    return f"ctranslate2 {ctranslate2.__version__}"


def _import(module: str) -> Any:
    return import_extra(module, provider="minilm", mend=INSTALL_COMMAND)


def _model_spec() -> Any:
    transformer = _import("ctranslate2.specs.transformer_spec")
    common = _import("ctranslate2.specs.common_spec")
    encoder = transformer.TransformerEncoderSpec(
        LAYERS,
        HEADS,
        pre_norm=False,
        activation=common.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    return transformer.TransformerEncoderModelSpec(encoder, pooling_layer=False)


def _fill_embeddings(encoder: Any, weights: Any) -> None:
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    positions = weights["embeddings.position_embeddings.weight"]
    encoder.position_encodings.encodings = positions
    _fill_norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")


def _fill_layer(layer: Any, weights: Any, name: str) -> None:
    attention = layer.self_attention
    fused = [
        _filled_linear(weights, f"{name}.attention.self.{part}")
        for part in ("query", "key", "value")
    ]
    _import("ctranslate2.converters.utils").fuse_linear(attention.linear[0], fused)
    _fill_linear(attention.linear[1], weights, f"{name}.attention.output.dense")
    _fill_norm(attention.layer_norm, weights, f"{name}.attention.output.LayerNorm")
    _fill_linear(layer.ffn.linear_0, weights, f"{name}.intermediate.dense")
    _fill_linear(layer.ffn.linear_1, weights, f"{name}.output.dense")
    _fill_norm(layer.ffn.layer_norm, weights, f"{name}.output.LayerNorm")


def _filled_linear(weights: Any, name: str) -> Any:
    linear = _import("ctranslate2.specs.common_spec").LinearSpec()
    _fill_linear(linear, weights, name)
    return linear


def _fill_linear(linear: Any, weights: Any, name: str) -> None:
    linear.weight = weights[f"{name}.weight"]
    linear.bias = weights[f"{name}.bias"]


def _fill_norm(norm: Any, weights: Any, name: str) -> None:
    norm.gamma = weights[f"{name}.weight"]
    norm.beta = weights[f"{name}.bias"]


def _tokens_by_id(tokenizer: Path) -> list[str]:
    ids: dict[str, int] = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    return sorted(ids, key=ids.__getitem__)
