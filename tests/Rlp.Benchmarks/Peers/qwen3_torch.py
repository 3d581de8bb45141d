"""Qwen3 in plain PyTorch: the peer of the section `gpu`.

Written as a competent user would: fused norms, scaled_dot_product_attention, a preallocated key-value cache, bfloat16 weights with float32 masters,
fused AdamW. One request (JSON) as the first argument, one line of JSON as the answer; progress goes to the error stream.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv, self.dim = c["heads"], c["kv_heads"], c["head_dim"]
        self.q_proj = nn.Linear(c["hidden"], self.heads * self.dim, bias=False)
        self.k_proj = nn.Linear(c["hidden"], self.kv * self.dim, bias=False)
        self.v_proj = nn.Linear(c["hidden"], self.kv * self.dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.dim, c["hidden"], bias=False)
        self.q_norm = nn.RMSNorm(self.dim, eps=c["eps"])
        self.k_norm = nn.RMSNorm(self.dim, eps=c["eps"])

    def forward(self, x, cos, sin, cache=None, position=None, mask=None):
        batch, length, _ = x.shape
        q = rotate(self.q_norm(self.q_proj(x).view(batch, length, self.heads, self.dim)).transpose(1, 2), cos, sin)
        k = rotate(self.k_norm(self.k_proj(x).view(batch, length, self.kv, self.dim)).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(batch, length, self.kv, self.dim).transpose(1, 2)
        if cache is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        elif mask is None:  # a prefix, or a token that sees all before it
            keys, values = cache
            keys[:, :, position:position + length] = k
            values[:, :, position:position + length] = v
            keys, values = keys[:, :, :position + length], values[:, :, :position + length]
            if length > 1:
                y = F.scaled_dot_product_attention(q, keys, values, is_causal=True, enable_gqa=True)
            else:  # query heads that share keys become rows of queries: no copy of the keys
                y = F.scaled_dot_product_attention(q.reshape(batch, self.kv, -1, self.dim), keys, values).reshape(batch, self.heads, 1, self.dim)
        else:  # shapes that do not depend on the position, for a CUDA graph
            keys, values = cache
            keys.index_copy_(2, position, k)
            values.index_copy_(2, position, v)
            y = F.scaled_dot_product_attention(q.reshape(batch, self.kv, -1, self.dim), keys, values, attn_mask=mask).reshape(batch, self.heads, 1, self.dim)
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden"], c["inner"], bias=False)
        self.up_proj = nn.Linear(c["hidden"], c["inner"], bias=False)
        self.down_proj = nn.Linear(c["inner"], c["hidden"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(c["hidden"], eps=c["eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = nn.RMSNorm(c["hidden"], eps=c["eps"])
        self.mlp = Mlp(c)

    def forward(self, x, *attention):
        x = x + self.self_attn(self.input_layernorm(x), *attention)
        return x + self.mlp(self.post_attention_layernorm(x))


class Qwen3(nn.Module):
    """Tied embeddings, names as in a Hugging Face file without the leading `model.`."""

    def __init__(self, c):
        super().__init__()
        self.config = c
        self.embed_tokens = nn.Embedding(c["vocabulary"], c["hidden"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["layers"]))
        self.norm = nn.RMSNorm(c["hidden"], eps=c["eps"])

    def tables(self, positions, dtype):
        half = self.config["head_dim"] // 2
        frequencies = self.config["theta"] ** (-torch.arange(half, device=positions.device, dtype=torch.float64) / half)
        angles = positions.to(torch.float64).unsqueeze(-1) * frequencies
        angles = torch.cat([angles, angles], -1)
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def forward(self, tokens, cos, sin, caches=None, position=None, mask=None):
        x = self.embed_tokens(tokens)
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, None if caches is None else caches[i], position, mask)
        return self.norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.embed_tokens.weight)


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


def make(config, dtype):
    with torch.device(DEVICE):
        model = Qwen3(config).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.02) if parameter.dim() > 1 else parameter.fill_(1)
    return model


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def rates(units, repeats, call):
    call()  # warms up
    values = []
    for _ in range(repeats):
        synchronize()
        started = time.perf_counter()
        call()
        synchronize()
        values.append(units / (time.perf_counter() - started))
    print(f"  peer {statistics.median(values):.4g}", file=sys.stderr)
    return values


def draw(logits):
    """A token at temperature 1 and its log-probability; without torch.multinomial, which may make the host wait."""
    distribution = F.log_softmax(logits.float(), -1)
    tokens = (distribution.exp() / torch.empty_like(distribution).exponential_(1)).argmax(-1, keepdim=True)
    return tokens, distribution.gather(-1, tokens)


@torch.inference_mode()
def decode(request):
    """New tokens per second: each prefix computed once, its keys and values copied to the sequences of its group."""
    config, dtype = request["config"], getattr(torch, request["dtype"])
    model = make(config, dtype)
    answer = {"eager": [], "graph": []}
    for groups, size, prefix, new in request["cases"]:
        rows, length = groups * size, prefix + new
        tokens = torch.randint(config["vocabulary"], (groups, prefix), device=DEVICE)
        cos, sin = model.tables(torch.arange(length, device=DEVICE), dtype)

        def caches(count, capacity):
            shape = (count, config["kv_heads"], capacity, config["head_dim"])
            return [(torch.zeros(shape, dtype=dtype, device=DEVICE), torch.zeros(shape, dtype=dtype, device=DEVICE)) for _ in model.layers]

        def prefill(states):
            first = caches(groups, prefix)
            hidden = model(tokens, cos[:prefix], sin[:prefix], first, 0)
            for own, shared in zip(states, first):
                for to, of in zip(own, shared):
                    to[:, :, :prefix] = of.repeat_interleave(size, 0)
            return model.logits(hidden[:, -1]).repeat_interleave(size, 0)

        states = caches(rows, length)

        def eager():
            logits, chances = prefill(states), []
            for t in range(new):
                token, chance = draw(logits)
                chances.append(chance)
                logits = model.logits(model(token, cos[prefix + t:prefix + t + 1], sin[prefix + t:prefix + t + 1], states, prefix + t)[:, -1])
            return torch.cat(chances, 1).cpu()

        answer["eager"].append(rates(rows * new, request["repeats"], eager))
        if DEVICE != "cuda" or not request["graph"]:
            continue

        position = torch.full((1,), prefix, device=DEVICE)
        inputs = torch.zeros(rows, 1, dtype=torch.int64, device=DEVICE)
        outputs = torch.zeros(rows, config["vocabulary"], dtype=dtype, device=DEVICE)
        chosen = torch.zeros(rows, 1, device=DEVICE)
        columns = torch.arange(length, device=DEVICE)

        def step():
            token, chance = draw(outputs)
            inputs.copy_(token)
            chosen.copy_(chance)
            mask = (columns <= position).view(1, 1, 1, -1)
            hidden = model(inputs, cos.index_select(0, position), sin.index_select(0, position), states, position, mask)
            outputs.copy_(model.logits(hidden[:, -1]))
            position.add_(1)

        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                position.fill_(prefix)
                step()
        torch.cuda.current_stream().wait_stream(stream)
        position.fill_(prefix)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()

        def replay():
            outputs.copy_(prefill(states))
            position.fill_(prefix)
            chances = []
            for _ in range(new):
                graph.replay()
                chances.append(chosen.clone())
            return torch.cat(chances, 1).cpu()

        answer["graph"].append(rates(rows * new, request["repeats"], replay))
        del graph
    return answer


def learn(request):
    """Input tokens per second of whole steps: forward, backward, AdamW."""
    config, dtype = request["config"], getattr(torch, request["dtype"])
    model = make(config, dtype)
    weights = list(model.parameters())
    masters = weights if dtype == torch.float32 else [w.detach().float() for w in weights]  # faster here than autocast over float32 weights
    if masters is not weights:
        for master in masters:
            master.grad = torch.zeros_like(master)
    optimizer = torch.optim.AdamW(masters, lr=1e-6, weight_decay=0.1, fused=DEVICE == "cuda")
    answer = {"documents": [], "thoughts": []}

    def hidden(tokens):
        cos, sin = model.tables(torch.arange(tokens.shape[1], device=DEVICE), dtype)
        return model(tokens, cos, sin)

    def update(batch, micro, loss):
        model.zero_grad(set_to_none=True)
        total = 0.0
        for part in batch.split(micro):
            value = loss(part)
            value.backward()
            total += value.item()
        if masters is not weights:
            torch._foreach_copy_([m.grad for m in masters], [w.grad for w in weights])
        torch.nn.utils.clip_grad_norm_(masters, 1e9)  # the norm is wanted, as a metric
        optimizer.step()
        if masters is not weights:
            with torch.no_grad():
                torch._foreach_copy_(weights, masters)
        return total

    for count, length in request["documents"]:
        tokens = torch.randint(config["vocabulary"], (count, length), device=DEVICE)

        def loss(part):
            logits = model.logits(hidden(part[:, :-1]))
            return F.cross_entropy(logits.flatten(0, 1).float(), part[:, 1:].flatten(), reduction="sum") / (count * (length - 1))

        micro = max(1, request["micro_batch_tokens"] // length)
        answer["documents"].append(rates(count * length, request["repeats"], lambda: update(tokens, micro, loss)))

    for groups, size, prefix, thought in request["thoughts"]:
        rows = groups * size
        prefixes = torch.randint(config["vocabulary"], (groups, prefix), device=DEVICE).repeat_interleave(size, 0)
        tokens = torch.cat([prefixes, torch.randint(config["vocabulary"], (rows, thought), device=DEVICE)], 1)
        behaviour = torch.full((rows, thought), -11.9, device=DEVICE)
        advantages = torch.randn(rows, 1, device=DEVICE)
        batch = torch.arange(rows, device=DEVICE)

        def surrogate(part):
            states = hidden(tokens[part, :-1])[:, prefix - 1:]  # logits of the thought alone
            logits = model.logits(states).float()
            chosen = F.log_softmax(logits, -1).gather(-1, tokens[part, prefix:].unsqueeze(-1)).squeeze(-1)
            ratio = (chosen - behaviour[part]).exp()
            terms = torch.minimum(ratio * advantages[part], ratio.clamp(0.8, 1.2) * advantages[part])
            return -terms.sum() / (rows * thought)

        micro = max(1, request["micro_batch_tokens"] // (prefix + thought))
        answer["thoughts"].append(rates(rows * thought, request["repeats"], lambda: update(batch, micro, surrogate)))
    return answer


@torch.inference_mode()
def logits(request):
    """Of the last token, with weights from a safetensors file: shows that both compute the same model."""
    from safetensors.torch import load_file

    model = make(request["config"], torch.float32)
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in load_file(request["weights"]).items()})
    tokens = torch.tensor([request["tokens"]], device=DEVICE)
    cos, sin = model.tables(torch.arange(tokens.shape[1], device=DEVICE), torch.float32)
    return {"logits": model.logits(model(tokens, cos, sin)[0, -1]).tolist()}


@torch.inference_mode()
def peaks(request):
    """FLOP/s of a large matrix product and bytes per second of a large copy, read and written bytes counted."""
    answer = {}
    for name in ("bfloat16", "float32"):
        n = 8192
        a, b = (torch.randn(n, n, device=DEVICE, dtype=getattr(torch, name)) for _ in range(2))
        answer[name] = max(rates(2.0 * n**3, 5, lambda: a @ b))
    source = torch.randn(1 << 29, device=DEVICE)
    target = torch.empty_like(source)
    answer["copy"] = max(rates(8.0 * source.numel(), 5, lambda: target.copy_(source)))
    return answer


def facts(request):
    return {"torch": torch.__version__, "device": torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"}


if __name__ == "__main__":
    work = json.loads(sys.argv[1])
    DEVICE = work["device"]
    print(json.dumps({"decode": decode, "learn": learn, "logits": logits, "peaks": peaks, "facts": facts}[work["mode"]](work)))
