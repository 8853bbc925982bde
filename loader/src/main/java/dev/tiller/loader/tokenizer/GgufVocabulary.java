package dev.tiller.loader.tokenizer;

import java.nio.file.Path;
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
 * @param unknownId token for a character that neither a token nor byte tokens can spell in a "llama" model, or -1
 * @param addBos whether encoding with special tokens begins with bosId
 * @param addEos whether encoding with special tokens ends with eosId
 * @param addSpacePrefix whether a "llama" model puts a space before the text
 * @param marksTakeSpace whether control and user-defined tokens take the white space behind them along (phi-3)
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
        int unknownId,
        boolean addBos,
        boolean addEos,
        boolean addSpacePrefix,
        boolean marksTakeSpace) {

    /**
     * Writes a tokenizer.json whose tokenizer gives the same tokens.
     *
     * @throws dev.tiller.loader.TillerException as {@link Tokenizer#fromGguf} does
     */
    public void writeTokenizerJson(Path file) {
        GgufTokenizerJson.write(this, file);
    }

    /** Whether a text of that kind of vocabulary begins with the start token where the file does not say. */
    public static boolean startsText(String model, String pre) {
        GgufPre rules = GgufPre.of(pre);
        return model.equals("llama") || rules != null && pre != null && rules.startsText();
    }
}
