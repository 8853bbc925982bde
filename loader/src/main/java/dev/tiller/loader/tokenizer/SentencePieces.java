package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import java.util.List;

/**
 * What a SentencePiece model consists of, from a tokenizer.model or from the keys of another container.
 *
 * @param source the file, for error messages
 * @param pieces [V] text of each piece; its place is its id
 * @param scores [V] of two possible pieces or merges the higher score wins
 * @param types [V] {@link #NORMAL} to {@link #BYTE}
 * @param rules how text is prepared and cut
 */
public record SentencePieces(String source, List<String> pieces, float[] scores, int[] types, Rules rules) {
    public static final int NORMAL = 1;
    public static final int UNKNOWN = 2;
    /** Stands for no text, such as a start token. */
    public static final int CONTROL = 3;
    /** Always a piece of its own where the text holds it. */
    public static final int USER_DEFINED = 4;
    /** May be passed through while merging, never comes out. */
    public static final int UNUSED = 5;
    /** One byte, spelled {@code <0xNN>}. */
    public static final int BYTE = 6;

    /** The visible character for a space. */
    static final String SPACE_MARK = "\u2581";

    /** How pieces are chosen. */
    public enum Kind {
        /** Neighbours merge, those with the highest score first. */
        BPE,
        /** The way through the text with the highest sum of scores. */
        UNIGRAM
    }

    /**
     * How text is prepared and cut.
     *
     * @param kind how pieces are chosen
     * @param addDummyPrefix whether a space is put before the text
     * @param prefixOnlyFirst whether that happens at the start of the whole text only, not after each added token
     * @param spaceAtEnd whether that space is put behind the text instead
     * @param removeExtraWhitespaces whether spaces at the edges go and several become one
     * @param escapeWhitespaces whether spaces are written as U+2581
     * @param byteFallback whether a character without a piece is written as the bytes of its UTF-8
     * @param charsmap the compiled map of characters to what they are replaced by, or null
     */
    public record Rules(
            Kind kind,
            boolean addDummyPrefix,
            boolean prefixOnlyFirst,
            boolean spaceAtEnd,
            boolean removeExtraWhitespaces,
            boolean escapeWhitespaces,
            boolean byteFallback,
            byte[] charsmap) {
        /** What the models of the Llama 2 line use: BPE with byte fallback, text taken as it is. */
        public static Rules llama(boolean addDummyPrefix) {
            return new Rules(Kind.BPE, addDummyPrefix, false, false, false, true, true, null);
        }

        Rules withPrefixOnlyFirst(boolean only) {
            return new Rules(
                    kind,
                    addDummyPrefix,
                    only,
                    spaceAtEnd,
                    removeExtraWhitespaces,
                    escapeWhitespaces,
                    byteFallback,
                    charsmap);
        }
    }

    /**
     * Checks the parts against each other.
     *
     * @throws TillerException if the lengths differ, a piece or its kind is not valid, there is not exactly one unknown
     *     piece, or bytes are to be written and not all 256 are there
     */
    public SentencePieces {
        if (scores.length != pieces.size() || types.length != pieces.size()) {
            throw new TillerException(source + ": expected a score and a type for each of " + pieces.size()
                    + " pieces, found " + scores.length + " and " + types.length);
        }
        int unknown = 0;
        int bytes = 0;
        for (int id = 0; id < types.length; id++) {
            if (types[id] < NORMAL || types[id] > BYTE || Float.isNaN(scores[id])) {
                throw new TillerException(source + ": piece " + id + ": expected a type from 1 to 6 and a score, found "
                        + types[id] + " and " + scores[id]);
            }
            unknown += types[id] == UNKNOWN ? 1 : 0;
            bytes += types[id] == BYTE ? 1 : 0;
        }
        if (unknown != 1) {
            throw new TillerException(source + ": expected one unknown piece (type 2), found " + unknown);
        }
        if (rules.byteFallback && bytes != 256) {
            throw new TillerException(
                    source + ": expected 256 byte pieces (type 6), as byte fallback is on, found " + bytes);
        }
    }

    /** The id of the unknown piece. */
    int unknownId() {
        int id = 0;
        while (types[id] != UNKNOWN) {
            id++;
        }
        return id;
    }

    /** Whether a piece can come from merging or searching text. */
    boolean isText(int id) {
        return types[id] == NORMAL || types[id] == USER_DEFINED || types[id] == UNUSED;
    }

    /** The texts that are always pieces of their own. */
    TextTrie userDefined() {
        TextTrie trie = new TextTrie(16);
        for (int id = 0; id < types.length; id++) {
            if (types[id] == USER_DEFINED && !pieces.get(id).isEmpty()) {
                trie.add(pieces.get(id), id);
            }
        }
        return trie;
    }

    /**
     * A tokenizer of these pieces. Control pieces and the unknown one are special: decoding can leave them out. They are
     * not looked for in texts; what shall be is declared as added.
     *
     * @param added tokens to find in a text before the model sees it
     * @param before ids that encoding with special tokens puts before the text
     * @param after ids that it puts behind
     */
    public Tokenizer tokenizer(List<AddedToken> added, int[] before, int[] after) {
        return SentencePieceTokenizers.build(this, added, before, after);
    }
}
