package dev.tiller.bench.start;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A model in a GGUF file (version 3) that says nothing sensible: one block, a few tokens, weights in F32. For the rehearsal,
 * as the bundled model has files of another kind.
 */
final class SmallGguf {
    /** Made of the tokens. */
    static final String TEXT = "the the";

    private static final int WIDTH = 32;
    private static final int HEADS = 2;
    private static final int FFN = 64;
    private static final int ALIGNMENT = 32;
    private static final int TENSORS = 11;
    private static final int KEYS = 19;

    private static final List<String> TOKENS = List.of(
            "<|endoftext|>",
            "<|im_start|>",
            "<|im_end|>",
            "t",
            "h",
            "e",
            "a",
            "s",
            "u",
            "r",
            "i",
            "n",
            "\u0120",
            "\u010a",
            "th",
            "the",
            "\u0120the");
    private static final List<String> MERGES = List.of("t h", "th e", "\u0120 the");

    /** How most such files have it. */
    private static final String TEMPLATE =
            "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
                    + "{{ '<|im_start|>system\\nassist<|im_end|>\\n' }}{% endif %}"
                    + "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
                    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    private final ByteArrayOutputStream head = new ByteArrayOutputStream();
    private final ByteArrayOutputStream data = new ByteArrayOutputStream();
    private int keys;
    private int tensors;

    private SmallGguf() {}

    static void write(Path file) throws IOException {
        SmallGguf g = new SmallGguf();
        g.keys();
        g.tensors();
        if (g.keys != KEYS || g.tensors != TENSORS) {
            throw new IllegalStateException(g.keys + " keys, " + g.tensors + " tensors");
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        all.writeBytes(number(4, 3));
        all.writeBytes(number(8, TENSORS));
        all.writeBytes(number(8, KEYS));
        g.head.writeTo(all);
        all.writeBytes(new byte[-all.size() & ALIGNMENT - 1]);
        g.data.writeTo(all);
        Files.write(file, all.toByteArray());
    }

    private void keys() {
        text("general.architecture", "llama");
        integer("general.quantization_version", 2);
        integer("llama.block_count", 1);
        integer("llama.context_length", 128);
        integer("llama.embedding_length", WIDTH);
        integer("llama.feed_forward_length", FFN);
        integer("llama.attention.head_count", HEADS);
        integer("llama.attention.head_count_kv", 1);
        integer("llama.rope.dimension_count", WIDTH / HEADS);
        key("llama.rope.freq_base", 6, number(4, Float.floatToRawIntBits(10_000)));
        key("llama.attention.layer_norm_rms_epsilon", 6, number(4, Float.floatToRawIntBits(1e-5f)));
        text("tokenizer.ggml.model", "gpt2");
        text("tokenizer.ggml.pre", "smollm");
        texts("tokenizer.ggml.tokens", TOKENS);
        texts("tokenizer.ggml.merges", MERGES);
        integers(
                "tokenizer.ggml.token_type",
                TOKENS.stream().mapToInt(t -> t.startsWith("<|") ? 3 : 1).toArray());
        integer("tokenizer.ggml.bos_token_id", 1);
        integer("tokenizer.ggml.eos_token_id", 2);
        text("tokenizer.chat_template", TEMPLATE);
    }

    private void tensors() {
        tensor("token_embd.weight", WIDTH, TOKENS.size());
        tensor("output_norm.weight", WIDTH);
        tensor("blk.0.attn_norm.weight", WIDTH);
        tensor("blk.0.attn_q.weight", WIDTH, WIDTH);
        tensor("blk.0.attn_k.weight", WIDTH, WIDTH / HEADS);
        tensor("blk.0.attn_v.weight", WIDTH, WIDTH / HEADS);
        tensor("blk.0.attn_output.weight", WIDTH, WIDTH);
        tensor("blk.0.ffn_norm.weight", WIDTH);
        tensor("blk.0.ffn_gate.weight", WIDTH, FFN);
        tensor("blk.0.ffn_up.weight", WIDTH, FFN);
        tensor("blk.0.ffn_down.weight", FFN, WIDTH);
    }

    private void text(String key, String value) {
        key(key, 8, string(value));
    }

    private void integer(String key, int value) {
        key(key, 4, number(4, value));
    }

    private void texts(String key, List<String> values) {
        ByteArrayOutputStream items = array(8, values.size());
        values.forEach(v -> items.writeBytes(string(v)));
        key(key, 9, items.toByteArray());
    }

    private void integers(String key, int[] values) {
        ByteArrayOutputStream items = array(5, values.length);
        for (int v : values) {
            items.writeBytes(number(4, v));
        }
        key(key, 9, items.toByteArray());
    }

    private static ByteArrayOutputStream array(int type, int length) {
        ByteArrayOutputStream items = new ByteArrayOutputStream();
        items.writeBytes(number(4, type));
        items.writeBytes(number(8, length));
        return items;
    }

    private void key(String key, int type, byte[] value) {
        head.writeBytes(string(key));
        head.writeBytes(number(4, type));
        head.writeBytes(value);
        keys++;
    }

    /** Of small numbers; keys come before all tensors. */
    private void tensor(String name, int... shape) {
        head.writeBytes(string(name));
        head.writeBytes(number(4, shape.length));
        int size = 1;
        for (int n : shape) {
            head.writeBytes(number(8, n));
            size *= n;
        }
        head.writeBytes(number(4, 0)); // F32
        head.writeBytes(number(8, data.size()));
        for (int i = 0; i < size; i++) {
            data.writeBytes(number(4, Float.floatToRawIntBits((float) (i * 0.618 % 1 - 0.5))));
        }
        data.writeBytes(new byte[-data.size() & ALIGNMENT - 1]);
        tensors++;
    }

    private static byte[] string(String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(Long.BYTES + utf8.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(utf8.length)
                .put(utf8)
                .array();
    }

    private static byte[] number(int bytes, long value) {
        ByteBuffer out =
                ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
        return Arrays.copyOf(out.array(), bytes);
    }
}
