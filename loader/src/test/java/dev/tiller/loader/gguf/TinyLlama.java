package dev.tiller.loader.gguf;

import java.util.List;

/**
 * A sound little model file: width 32, two query heads and one key/value head of width 4, FFN 32, two blocks, six
 * tokens. Row r of every matrix holds r in each element (plus 100 in block 1), so that an order of rows shows.
 */
final class TinyLlama {
    static final int HIDDEN = 32;

    private TinyLlama() {}

    /** Metadata alone. */
    static GgufBytes metadata(String architecture) {
        String a = architecture + ".";
        return tokens(new GgufBytes().string("general.architecture", architecture))
                .u32(a + "block_count", 2)
                .u32(a + "context_length", 8192)
                .u32(a + "embedding_length", HIDDEN)
                .u32(a + "feed_forward_length", 32)
                .u32(a + "attention.head_count", 2)
                .u32(a + "attention.head_count_kv", 1)
                .u32(a + "attention.key_length", 4)
                .u32(a + "attention.value_length", 4)
                .f32(a + "attention.layer_norm_rms_epsilon", 1e-5f)
                .f32(a + "rope.freq_base", 50000);
    }

    /** Adds a tokenizer of six tokens. */
    static GgufBytes tokens(GgufBytes out) {
        return out.string("tokenizer.ggml.model", "gpt2")
                .string("tokenizer.ggml.pre", "smollm")
                .strings("tokenizer.ggml.tokens", List.of("<s>", "a", "b", "ab", "<end>", "<eot>"))
                .strings("tokenizer.ggml.merges", List.of("a b"))
                .pair("tokenizer.ggml.token_type", GgufBytes.ARRAY, ints(3, 1, 1, 1, 3, 3))
                .u32("tokenizer.ggml.bos_token_id", 0)
                .u32("tokenizer.ggml.eos_token_id", 4)
                .u32("tokenizer.ggml.eot_token_id", 5)
                .u32("tokenizer.ggml.padding_token_id", -1)
                .string("tokenizer.chat_template", "{{ messages }}");
    }

    /** Adds the weights; queries and values of block 1 in Q8_0, everything else in F32. */
    static GgufBytes weights(GgufBytes out) {
        out.tensor("token_embd.weight", 0, rows(6, 0), HIDDEN, 6);
        out.tensor("output_norm.weight", 0, rows(1, 1), HIDDEN);
        for (int b = 0; b < 2; b++) {
            String p = "blk." + b + ".";
            int first = 100 * b;
            out.tensor(p + "attn_norm.weight", 0, rows(1, 1), HIDDEN);
            if (b == 0) {
                out.tensor(p + "attn_q.weight", 0, rows(8, first), HIDDEN, 8);
            } else {
                out.tensor(p + "attn_q.weight", 8, eightBitRows(8, first), HIDDEN, 8);
            }
            out.tensor(p + "attn_k.weight", 0, rows(4, first), HIDDEN, 4);
            if (b == 0) {
                out.tensor(p + "attn_v.weight", 0, rows(4, first), HIDDEN, 4);
            } else {
                out.tensor(p + "attn_v.weight", 8, eightBitRows(4, first), HIDDEN, 4);
            }
            out.tensor(p + "attn_output.weight", 0, new byte[8 * HIDDEN * 4], 8, HIDDEN);
            out.tensor(p + "ffn_norm.weight", 0, rows(1, 1), HIDDEN);
            out.tensor(p + "ffn_gate.weight", 0, rows(32, first), HIDDEN, 32);
            out.tensor(p + "ffn_up.weight", 0, rows(32, first), HIDDEN, 32);
            out.tensor(p + "ffn_down.weight", 0, rows(32, first), 32, HIDDEN);
        }
        return out;
    }

    /** Adds biases of queries, keys and values to these blocks. */
    static GgufBytes biases(GgufBytes out, int... blocks) {
        for (int b : blocks) {
            out.tensor("blk." + b + ".attn_q.bias", 0, new byte[4 * 8], 8);
            out.tensor("blk." + b + ".attn_k.bias", 0, new byte[4 * 4], 4);
            out.tensor("blk." + b + ".attn_v.bias", 0, new byte[4 * 4], 4);
        }
        return out;
    }

    static GgufBytes model() {
        return weights(metadata("llama"));
    }

    /** [rows, HIDDEN] in F32. */
    static byte[] rows(int rows, int first) {
        GgufBytes.Buffer out = new GgufBytes.Buffer();
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < HIDDEN; c++) {
                out.f32(first + r);
            }
        }
        return out.toBytes();
    }

    private static byte[] eightBitRows(int rows, int first) {
        GgufBytes.Buffer out = new GgufBytes.Buffer();
        for (int r = 0; r < rows; r++) {
            out.raw(new byte[] {0, 0x3C});
            for (int c = 0; c < HIDDEN; c++) {
                out.u8(first + r);
            }
        }
        return out.toBytes();
    }

    private static GgufBytes.Buffer ints(int... values) {
        GgufBytes.Buffer out = new GgufBytes.Buffer().u32(5).u64(values.length);
        for (int v : values) {
            out.u32(v);
        }
        return out;
    }
}
