package dev.tiller.loader.tokenizer;

import java.util.List;

/**
 * The {@code tokenizer.ggml.*} keys of a GGUF file.
 *
 * @param source the file, for error messages
 * @param model {@code tokenizer.ggml.model}: "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE by scores)
 * @param pre {@code tokenizer.ggml.pre}: name of the pre-tokenizer of a "gpt2" model; null if absent
 * @param tokens [V] the text of each token
 * @param scores [V] or null: of two possible merges in a "llama" model, the one with the higher score comes first
 * @param tokenTypes [V] or null: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
 * @param merges pairs "a b" in the order they apply, or null
 * @param bosId token at the start of a text, or -1
 * @param eosId token at the end of a text, or -1
 * @param addBos whether encoding with special tokens begins with bosId
 * @param addEos whether encoding with special tokens ends with eosId
 * @param addSpacePrefix whether a "llama" model puts a space before the text
 */
public record GgufVocabulary(
        String source,
        String model,
        String pre,
        List<String> tokens,
        float[] scores,
        int[] tokenTypes,
        List<String> merges,
        int bosId,
        int eosId,
        boolean addBos,
        boolean addEos,
        boolean addSpacePrefix) {}
