"""Makes the small random models of this folder: python make.py OUTDIR [NAME...]  (transformers 5.18, torch, CPU).

README.md says how the numbers are drawn. Those of LATER have residuals and greedy text as well as logits.
"""
import os
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

torch.set_num_threads(1)
BASE = dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            vocab_size=60, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None)
TINY = dict(BASE, intermediate_size=20, vocab_size=40)
GPT = dict(n_embd=32, n_head=4, n_layer=2, n_positions=64, bos_token_id=1, eos_token_id=2)


def case(kind, base=BASE, without=(), **more):
    settings = {k: v for k, v in {**base, **more}.items() if k not in without}
    return transformers.CONFIG_MAPPING[kind](**settings)


def tiny(kind, **more):
    return case(kind, TINY, **more)


def whole(kind, vision, text=TINY, **more):
    """A model of several parts. Only the text part is stored and read."""
    return transformers.CONFIG_MAPPING[kind](text_config={**text, **more}, vision_config=vision,
                                             tie_word_embeddings=False)


QWEN_VISION = dict(depth=1, hidden_size=16, intermediate_size=16, num_heads=2, patch_size=4, out_hidden_size=32)


def yarn(**more):
    return {'rope_type': 'yarn', **more}


FIRST = {
    'cohere_qk_norm': lambda: case('cohere', use_qk_norm=True, logit_scale=0.7, attention_bias=True),
    'gpt_neox_sequential': lambda: case('gpt_neox', without=['num_key_value_heads'], use_parallel_residual=False,
                                        rotary_pct=0.5),
    'gpt_neox_no_bias': lambda: case('gpt_neox', without=['num_key_value_heads'], attention_bias=False, rotary_pct=1.0,
                                     hidden_act='gelu_new'),
    'qwen2_windows': lambda: case('qwen2', use_sliding_window=True, sliding_window=5, max_window_layers=1,
                                  num_hidden_layers=3),
    'smollm3_windows': lambda: case('smollm3', use_sliding_window=True, sliding_window=4, no_rope_layer_interval=2,
                                    attention_bias=True, mlp_bias=True),
    'olmo2_bias': lambda: case('olmo2', attention_bias=True),
    'gemma2_caps_off': lambda: case('gemma2', head_dim=12, query_pre_attn_scalar=20, sliding_window=6,
                                    attn_logit_softcapping=None, final_logit_softcapping=None),
    'qwen3_yarn_mscale': lambda: case('qwen3', head_dim=8, rope_scaling=yarn(
        factor=4.0, original_max_position_embeddings=16, mscale=0.8, mscale_all_dim=0.4, beta_fast=4, beta_slow=0.5,
        truncate=False)),
    'llama_yarn_factor': lambda: case('llama', rope_scaling=yarn(
        factor=2.0, original_max_position_embeddings=32, attention_factor=1.3)),
    'phi3_partial_longrope': lambda: case(
        'phi3', partial_rotary_factor=0.5, original_max_position_embeddings=8, sliding_window=7,
        rope_scaling={'type': 'longrope', 'short_factor': [1.1, 1.3], 'long_factor': [2.0, 3.5]}),
    'granite_linear': lambda: case(
        'granite', rope_scaling={'rope_type': 'linear', 'factor': 3.0}, embedding_multiplier=3.0,
        attention_multiplier=0.4, residual_multiplier=0.5, logits_scaling=3.0, attention_bias=True, mlp_bias=True),
    'qwen3_moe_step': lambda: case('qwen3_moe', head_dim=8, num_experts=5, num_experts_per_tok=3,
                                   moe_intermediate_size=24, norm_topk_prob=False, decoder_sparse_step=2),
    'mixtral_window': lambda: case('mixtral', num_local_experts=3, num_experts_per_tok=1, sliding_window=5),
    'gpt2_inner': lambda: transformers.CONFIG_MAPPING['gpt2'](
        **GPT, n_inner=40, vocab_size=60, scale_attn_weights=False, activation_function='gelu',
        tie_word_embeddings=False),
    'glm4': lambda: case('glm4', head_dim=8, partial_rotary_factor=0.5, attention_bias=True),
}

LATER = {
    # settings
    'llama_dynamic': lambda: tiny('llama', rope_scaling={'rope_type': 'dynamic', 'factor': 4.0}),
    'llama_no_out_bias': lambda: tiny('llama', attention_bias=True),
    'mixtral_stacked': lambda: tiny('mixtral', num_local_experts=3, num_experts_per_tok=2),
    'qwen3_moe_stacked': lambda: tiny('qwen3_moe', head_dim=8, num_experts=5, num_experts_per_tok=2,
                                      moe_intermediate_size=12, norm_topk_prob=True),
    # families
    'gemma': lambda: tiny('gemma', head_dim=12, hidden_act='gelu'),
    'ministral': lambda: tiny('ministral', head_dim=8, sliding_window=5,
                              layer_types=['sliding_attention', 'full_attention']),
    'starcoder2': lambda: tiny('starcoder2', sliding_window=6, use_bias=True),
    'stablelm': lambda: tiny('stablelm', use_qkv_bias=True, partial_rotary_factor=0.25),
    'phi': lambda: tiny('phi', partial_rotary_factor=0.5),
    'olmo': lambda: tiny('olmo'),
    'olmo3': lambda: tiny('olmo3', num_hidden_layers=4, sliding_window=5, rope_scaling=yarn(
        factor=4.0, original_max_position_embeddings=16, attention_factor=1.2)),
    'olmoe': lambda: tiny('olmoe', num_experts=4, num_experts_per_tok=2),
    'cohere2': lambda: tiny('cohere2', num_hidden_layers=4, sliding_window=5, logit_scale=0.6),
    'exaone4': lambda: tiny('exaone4', num_hidden_layers=4, head_dim=8, sliding_window=5, sliding_window_pattern=4),
    'exaone4_full': lambda: tiny('exaone4', head_dim=8, sliding_window=None, layer_types=['full_attention'] * 2),
    'seed_oss': lambda: tiny('seed_oss', head_dim=8),
    'glm': lambda: tiny('glm', head_dim=8),
    'granitemoe': lambda: tiny('granitemoe', num_local_experts=4, num_experts_per_tok=2, embedding_multiplier=3.0,
                               attention_multiplier=0.4, residual_multiplier=0.5, logits_scaling=3.0),
    'helium': lambda: tiny('helium', head_dim=8),
    'ernie4_5': lambda: tiny('ernie4_5', head_dim=8, use_bias=True),
    'gpt_bigcode': lambda: transformers.CONFIG_MAPPING['gpt_bigcode'](**GPT, n_inner=40, vocab_size=40),
    'mistral3': lambda: whole('mistral3', dict(
        hidden_size=16, intermediate_size=16, num_attention_heads=2, num_hidden_layers=1, patch_size=4, image_size=16,
        head_dim=8), model_type='mistral', head_dim=12, sliding_window=None),
    'qwen2_5_vl': lambda: whole('qwen2_5_vl', QWEN_VISION, rope_parameters={
        'rope_type': 'default', 'rope_theta': 5000.0, 'mrope_section': [2, 1, 1]}),
    'qwen3_vl': lambda: whole('qwen3_vl', dict(QWEN_VISION, deepstack_visual_indexes=[0]), head_dim=8, rope_parameters={
        'rope_type': 'default', 'rope_theta': 5000.0, 'mrope_section': [2, 1, 1], 'mrope_interleaved': True}),
    'gpt_neo': lambda: transformers.CONFIG_MAPPING['gpt_neo'](
        hidden_size=32, num_layers=3, num_heads=4, vocab_size=40, max_position_embeddings=64, window_size=5,
        intermediate_size=40, bos_token_id=1, eos_token_id=2, attention_types=[[['global', 'local', 'local'], 1]]),
    'gptj': lambda: transformers.CONFIG_MAPPING['gptj'](**GPT, n_inner=40, vocab_size=40, rotary_dim=4),
    'falcon': lambda: case('falcon', TINY, without=['num_key_value_heads', 'intermediate_size'], ffn_hidden_size=40,
                           bias=True),
}


def draw(model, name):
    for n, p in model.named_parameters():
        if 'norm' in n or 'ln_' in n:
            p.copy_(torch.randn_like(p) * 0.3 + (0 if 'gemma' in name or n.endswith('bias') else 1))
            if n.split('.')[-2] in ('norm', 'final_layer_norm', 'ln_f', 'final_layernorm') and n.endswith('weight'):
                p.mul_(torch.sign(torch.randn_like(p)))
        else:
            p.copy_(torch.randn_like(p) * (0.35 if p.dim() > 1 else 0.3))


def save(model, name, folder):
    model.to(torch.bfloat16).save_pretrained(folder, save_original_format='stacked' not in name)
    for f in os.listdir(folder):
        if f not in ('config.json', 'model.safetensors'):
            os.remove(os.path.join(folder, f))
    left_out = ['visual', 'vision', 'projector']
    if name == 'llama_no_out_bias':
        left_out = ['o_proj.bias']
    file = os.path.join(folder, 'model.safetensors')
    stored = load_file(file)
    left = {n: t for n, t in stored.items() if not any(part in n for part in left_out)}
    if len(left) < len(stored):
        save_file(left, file, metadata={'format': 'pt'})


def goldens(model, ids, more):
    with torch.no_grad():
        if not more:
            return {'logits': model(ids).logits[0]}
        out = model(ids, output_hidden_states=True)
        blocks = {}
        text = model.model if hasattr(model, 'model') else model.transformer
        text = getattr(text, 'language_model', text)
        layers = text.h if hasattr(text, 'h') else text.layers
        for i, layer in enumerate(layers):
            layer.register_forward_hook(lambda _, __, o, i=i: blocks.__setitem__(i, o[0] if isinstance(o, tuple) else o))
        model(ids)
        resid = torch.stack([blocks[i].view(ids.shape[1], -1) for i in range(len(layers))])
        text, margin = ids, 1e9
        for _ in range(12):
            last = model(text).logits[0, -1]
            best = last.topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            text = torch.cat([text, best.indices[:1].view(1, 1)], 1)
    print('   margin of greedy tokens %.4f' % margin)
    return {'logits': out.logits[0], 'resid_post': resid, 'final_norm': out.hidden_states[-1][0],
            'greedy_ids': text[0, ids.shape[1]:]}


def make(i, name, config, out):
    more = name in LATER
    torch.manual_seed(4000 + i)
    config._attn_implementation = 'eager'
    auto = AutoModelForImageTextToText if hasattr(config, 'vision_config') else AutoModelForCausalLM
    model = auto.from_config(config).float().eval()
    with torch.no_grad():
        draw(model, name)
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    save(model, name, folder)
    experts = {'experts_implementation': 'eager'} if hasattr(config, 'num_experts_per_tok') else {}
    read = auto.from_pretrained(folder, attn_implementation='eager', dtype=torch.float32, **experts).eval()
    ids = torch.randint(0, config.get_text_config().vocab_size, (1, 16 if more else 20), generator=torch.Generator().manual_seed(i))
    found = goldens(read, ids, more)
    found = {k: v.contiguous() for k, v in found.items()}
    save_file({'input_ids': ids[0].contiguous(), **found}, os.path.join(folder, 'goldens.safetensors'))
    with torch.no_grad():
        exact = read.double()(ids).logits[0]
    noise = ((found['logits'] - exact).norm() / exact.norm()).item()
    size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    print(i, name, 'bytes', size, 'std %.2f' % found['logits'].std().item(), 'float32 noise %.1e' % noise)


if __name__ == '__main__':
    for i, (name, config) in enumerate({**FIRST, **LATER}.items()):
        if not sys.argv[2:] or name in sys.argv[2:]:
            make(i, name, config(), sys.argv[1])
