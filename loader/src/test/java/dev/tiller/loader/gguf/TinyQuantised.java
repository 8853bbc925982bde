package dev.tiller.loader.gguf;

import java.util.Random;

/** A sound little Gemma 3 whose tensors are of every readable type of blocks: width 256, FFN 32, four blocks, six tokens. */
final class TinyQuantised {
    private static final int HIDDEN = 256;

    /** Types whose blocks fit the width of the model. */
    private static final GgufType[] WIDE = {
        GgufType.Q4_K,
        GgufType.Q6_K,
        GgufType.Q5_K,
        GgufType.Q3_K,
        GgufType.Q2_K,
        GgufType.IQ4_XS,
        GgufType.Q8_0,
        GgufType.Q4_0,
        GgufType.Q4_1
    };

    /** Types whose blocks fit rows of 32. */
    private static final GgufType[] NARROW = {GgufType.Q5_0, GgufType.Q5_1, GgufType.IQ4_NL, GgufType.Q8_0};

    private TinyQuantised() {}

    static GgufBytes model(long seed) {
        Random random = new Random(seed);
        GgufBytes out = TinyLlama.tokens(new GgufBytes().string("general.architecture", "gemma3"))
                .u32("gemma3.block_count", 4)
                .u32("gemma3.context_length", 64)
                .u32("gemma3.embedding_length", HIDDEN)
                .u32("gemma3.feed_forward_length", 32)
                .u32("gemma3.attention.head_count", 2)
                .u32("gemma3.attention.head_count_kv", 1)
                .u32("gemma3.attention.key_length", 16)
                .u32("gemma3.attention.value_length", 16)
                .u32("gemma3.attention.sliding_window", 8)
                .f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6f)
                .f32("gemma3.rope.freq_base", 1e6f);
        add(out, "token_embd", GgufType.Q6_K, 6, random);
        norm(out, "output_norm", HIDDEN);
        for (int b = 0; b < 4; b++) {
            String p = "blk." + b + ".";
            for (String name : new String[] {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"}) {
                norm(out, p + name, HIDDEN);
            }
            norm(out, p + "attn_q_norm", 16);
            norm(out, p + "attn_k_norm", 16);
            add(out, p + "attn_q", WIDE[b % 3], 32, random);
            add(out, p + "attn_k", WIDE[3 + b % 3], 16, random);
            add(out, p + "attn_v", WIDE[6 + b % 3], 16, random);
            narrow(out, p + "attn_output", NARROW[(b + 1) % 4], random);
            add(out, p + "ffn_gate", WIDE[b], 32, random);
            add(out, p + "ffn_up", WIDE[4 + b], 32, random);
            narrow(out, p + "ffn_down", NARROW[b], random);
        }
        return out;
    }

    private static void norm(GgufBytes out, String name, int size) {
        float[] ones = new float[size];
        java.util.Arrays.fill(ones, 1.5f);
        out.tensor(name + ".weight", 0, GgufBytes.floats(ones), size);
    }

    private static void add(GgufBytes out, String name, GgufType type, int rows, Random random) {
        byte[] bytes = new byte[rows * HIDDEN / type.blockSize() * type.blockBytes()];
        random.nextBytes(bytes);
        out.tensor(name + ".weight", type.code(), bytes, HIDDEN, rows);
    }

    private static void narrow(GgufBytes out, String name, GgufType type, Random random) {
        byte[] bytes = new byte[HIDDEN * 32 / type.blockSize() * type.blockBytes()];
        random.nextBytes(bytes);
        out.tensor(name + ".weight", type.code(), bytes, 32, HIDDEN);
    }
}
