package dev.tiller.loader.gguf;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.DType;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.TensorView;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Makes a GGUF file of a little Hugging Face model as llama.cpp's converter does: its keys, its names, the rows of Llama's
 * queries and keys in pairs, one added to Gemma's norms, the experts of a block in one tensor. Weights keep their type.
 *
 * <p>Three settings of the fixtures are not those of any published model and go into keys that the converter does not write
 * for these architectures: the scale of Gemma's queries, Gemma 3's pattern of windows, Mistral's window.
 */
public final class FixtureGguf {
    private final JsonObject config;
    private final String type;
    private final String architecture;
    private final GgufBytes out = new GgufBytes();

    private FixtureGguf(JsonObject config, String architecture) {
        this.config = config;
        this.type = config.get("model_type").getAsString();
        this.architecture = architecture;
    }

    /** Writes {@code target} from a model directory. */
    public static Path write(Path directory, Path target) {
        String type = Json.readObject(directory.resolve("config.json"))
                .get("model_type")
                .getAsString();
        return write(
                directory,
                target,
                switch (type) {
                    case "mistral", "mixtral" -> "llama";
                    case "qwen3_moe" -> "qwen3moe";
                    case "gemma3_text" -> "gemma3";
                    default -> type;
                });
    }

    /** The same with another value of general.architecture, whose names and order of rows the model can be written in. */
    public static Path write(Path directory, Path target, String architecture) {
        FixtureGguf made = new FixtureGguf(Json.readObject(directory.resolve("config.json")), architecture);
        List<Safetensors> files = new ArrayList<>();
        try (Stream<Path> names = Files.list(directory)) {
            names.filter(f -> f.getFileName().toString().matches("model.*\\.safetensors"))
                    .sorted()
                    .forEach(f -> files.add(Safetensors.open(f)));
            Map<String, TensorView> tensors = new TreeMap<>();
            files.forEach(f -> tensors.putAll(f.tensors()));
            made.metadata();
            made.tensors(tensors);
            return Files.write(target, made.out.build());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            files.forEach(Safetensors::close);
        }
    }

    /** Changes the context that a written file states. */
    public static void setContext(Path file, int context) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            String key = ".context_length";
            int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(key) + key.length() + Integer.BYTES;
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(at, context);
            Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private boolean has(String key) {
        return config.has(key) && !config.get(key).isJsonNull();
    }

    private int number(String key) {
        return config.get(key).getAsInt();
    }

    /** The settings of rotary positions in either style; null if there are none of that name. */
    private JsonElement rope(String key) {
        for (String nested : List.of("rope_parameters", "rope_scaling")) {
            if (has(nested) && config.getAsJsonObject(nested).has(key)) {
                return config.getAsJsonObject(nested).get(key);
            }
        }
        return config.get(key);
    }

    private int headDim() {
        return has("head_dim") ? number("head_dim") : number("hidden_size") / number("num_attention_heads");
    }

    private void metadata() {
        out.string("general.architecture", architecture);
        copy("num_hidden_layers", "block_count");
        copy("max_position_embeddings", "context_length");
        copy("hidden_size", "embedding_length");
        copy("intermediate_size", "feed_forward_length");
        copy("num_attention_heads", "attention.head_count");
        copy("num_key_value_heads", "attention.head_count_kv");
        copy("num_experts_per_tok", "expert_used_count");
        copy("num_local_experts", "expert_count");
        copy("num_experts", "expert_count");
        copy("moe_intermediate_size", "expert_feed_forward_length");
        out.f32(
                key("attention.layer_norm_rms_epsilon"),
                config.get("rms_norm_eps").getAsFloat());
        if (has("head_dim")) {
            copy("head_dim", "attention.key_length");
            copy("head_dim", "attention.value_length");
        }
        for (String cap : List.of("attn_logit_softcapping", "final_logit_softcapping")) {
            if (has(cap)) {
                out.f32(key(cap), config.get(cap).getAsFloat());
            }
        }
        copy("sliding_window", "attention.sliding_window");
        copy("sliding_window_pattern", "attention.sliding_window_pattern");
        if (has("query_pre_attn_scalar")) {
            out.f32(key("attention.scale"), (float) (1 / Math.sqrt(number("query_pre_attn_scalar"))));
        }
        if (architecture.equals("llama")) {
            copy("vocab_size", "vocab_size");
            out.u32(key("rope.dimension_count"), headDim());
        }
        ropeKeys();
        for (String token : List.of("bos", "eos", "pad")) {
            if (has(token + "_token_id")) {
                out.u32(
                        "tokenizer.ggml." + (token.equals("pad") ? "padding" : token) + "_token_id",
                        number(token + "_token_id"));
            }
        }
    }

    private void ropeKeys() {
        if (!type.equals("gemma2")) {
            out.f32(key("rope.freq_base"), rope("rope_theta").getAsFloat());
        }
        JsonElement named = rope("rope_type") == null ? rope("type") : rope("rope_type");
        String scaling = named == null ? "default" : named.getAsString();
        if (scaling.equals("linear") || scaling.equals("yarn")) {
            out.string(key("rope.scaling.type"), scaling);
            out.f32(key("rope.scaling.factor"), rope("factor").getAsFloat());
        }
        if (scaling.equals("yarn")) {
            out.u32(
                    key("rope.scaling.original_context_length"),
                    rope("original_max_position_embeddings").getAsInt());
        }
        if (type.equals("phi3")) {
            copy("original_max_position_embeddings", "rope.scaling.original_context_length");
            float part = rope("partial_rotary_factor").getAsFloat();
            out.u32(key("rope.dimension_count"), (int) (part * number("hidden_size")) / number("num_attention_heads"));
        }
        if (scaling.equals("longrope")) {
            double original = number("original_max_position_embeddings");
            double stretched = number("max_position_embeddings") / original;
            out.f32(key("rope.scaling.attn_factor"), (float) Math.sqrt(1 + Math.log(stretched) / Math.log(original)));
            factors("rope_factors_long.weight", "long_factor");
            factors("rope_factors_short.weight", "short_factor");
        }
        if (scaling.equals("llama3")) {
            llama3();
        }
    }

    private void factors(String name, String key) {
        List<JsonElement> all = rope(key).getAsJsonArray().asList();
        float[] floats = new float[all.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = all.get(i).getAsFloat();
        }
        out.tensor(name, 0, GgufBytes.floats(floats), floats.length);
    }

    private void llama3() {
        float[] factors = new float[headDim() / 2];
        double original = rope("original_max_position_embeddings").getAsDouble();
        double factor = rope("factor").getAsDouble();
        for (int i = 0; i < factors.length; i++) {
            double wave = 2 * Math.PI * Math.pow(rope("rope_theta").getAsDouble(), 2.0 * i / headDim());
            double low = rope("low_freq_factor").getAsDouble();
            double high = rope("high_freq_factor").getAsDouble();
            double smooth = (original / wave - low) / (high - low);
            factors[i] = wave < original / high
                    ? 1
                    : wave > original / low ? (float) factor : (float) (1 / ((1 - smooth) / factor + smooth));
        }
        out.tensor("rope_freqs.weight", 0, GgufBytes.floats(factors), factors.length);
    }

    private void copy(String from, String to) {
        if (has(from)) {
            out.u32(key(to), number(from));
        }
    }

    private String key(String name) {
        return architecture + "." + name;
    }

    private void tensors(Map<String, TensorView> tensors) {
        tensors.forEach((name, view) -> {
            if (!name.contains(".experts.")) {
                add(ggufName(name), view);
            } else if (name.contains(".experts.0.")) {
                experts(name, tensors);
            }
        });
    }

    private void add(String name, TensorView view) {
        long[] shape = view.shape();
        if (shape.length == 1) {
            float[] values = rows(name, view.toFloats(), 1);
            if (architecture.startsWith("gemma") && name.endsWith("norm.weight")) {
                for (int i = 0; i < values.length; i++) {
                    values[i] += 1;
                }
            }
            out.tensor(name, 0, GgufBytes.floats(values), values.length);
        } else {
            byte[] bytes = rows(name, bytes(view), (int) (view.data().byteSize() / shape[0]));
            out.tensor(name, code(view.dtype()), bytes, shape[1], shape[0]);
        }
    }

    private void experts(String first, Map<String, TensorView> tensors) {
        GgufBytes.Buffer all = new GgufBytes.Buffer();
        int count = has("num_experts") ? number("num_experts") : number("num_local_experts");
        for (int e = 0; e < count; e++) {
            all.raw(bytes(tensors.get(first.replace(".experts.0.", ".experts." + e + "."))));
        }
        TensorView view = tensors.get(first);
        String[] parts = first.split("\\.");
        String part = switch (parts[parts.length - 2]) {
            case "w1", "gate_proj" -> "gate";
            case "w2", "down_proj" -> "down";
            default -> "up";
        };
        out.tensor(
                "blk." + parts[2] + ".ffn_" + part + "_exps.weight",
                code(view.dtype()),
                all.toBytes(),
                view.shape()[1],
                view.shape()[0],
                count);
    }

    /** Rows of Llama's queries and keys: those of each head as [2, half] become [half, 2]. */
    private <T> T rows(String name, T all, int rowSize) {
        int heads = name.contains(".attn_q.") ? number("num_attention_heads") : number("num_key_value_heads");
        if (!architecture.equals("llama") || !name.contains(".attn_q.") && !name.contains(".attn_k.")) {
            return all;
        }
        int length = java.lang.reflect.Array.getLength(all);
        @SuppressWarnings("unchecked")
        T moved = (T) java.lang.reflect.Array.newInstance(all.getClass().componentType(), length);
        int head = length / heads;
        int half = head / rowSize / 2;
        for (int from = 0; from < length; from += head) {
            for (int j = 0; j < half; j++) {
                for (int part = 0; part < 2; part++) {
                    int source = from + (part * half + j) * rowSize;
                    System.arraycopy(all, source, moved, from + (2 * j + part) * rowSize, rowSize);
                }
            }
        }
        return moved;
    }

    private static byte[] bytes(TensorView view) {
        return view.data().toArray(ValueLayout.JAVA_BYTE);
    }

    private static int code(DType type) {
        return switch (type) {
            case F32 -> 0;
            case F16 -> 1;
            case BF16 -> 30;
            default -> throw new IllegalArgumentException(type.name());
        };
    }

    private String ggufName(String name) {
        String afterMlpNorm = architecture.startsWith("gemma") ? "post_attention_norm" : "ffn_norm";
        return name.replace("model.layers.", "blk.")
                .replace("model.embed_tokens", "token_embd")
                .replace("model.norm", "output_norm")
                .replace("lm_head", "output")
                .replace("input_layernorm", "attn_norm")
                .replace("post_attention_layernorm", afterMlpNorm)
                .replace("pre_feedforward_layernorm", "ffn_norm")
                .replace("post_feedforward_layernorm", "post_ffw_norm")
                .replace("self_attn.o_proj", "attn_output")
                .replace("self_attn.qkv_proj", "attn_qkv")
                .replaceAll("self_attn\\.([qkv])_proj", "attn_$1")
                .replaceAll("self_attn\\.([qk])_norm", "attn_$1_norm")
                .replace("mlp.gate_up_proj", "ffn_up")
                .replaceAll("mlp\\.(gate|up|down)_proj", "ffn_$1")
                .replaceAll("(mlp|block_sparse_moe)\\.gate\\.", "ffn_gate_inp.");
    }
}
