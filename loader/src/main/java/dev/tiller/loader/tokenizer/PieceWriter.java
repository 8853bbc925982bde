package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import java.nio.charset.StandardCharsets;

/** Writes the pieces that SentencePiece found: unknown text becomes bytes, or one unknown piece for a whole run. */
final class PieceWriter {
    /** What holds for all texts of a model. */
    static final class Rules {
        private final Vocabulary vocabulary;
        private final int unknownId;
        /** [256] ids of the bytes, or null without byte fallback. */
        private final int[] bytes;

        Rules(SentencePieces pieces, Vocabulary vocabulary) {
            this.vocabulary = vocabulary;
            this.unknownId = pieces.unknownId();
            this.bytes = pieces.rules().byteFallback() ? new int[256] : null;
            for (int b = 0; bytes != null && b < 256; b++) {
                bytes[b] = vocabulary.id(String.format("<0x%02X>", b));
                if (bytes[b] < 0) {
                    throw new TillerException(pieces.source()
                            + String.format(": expected the piece \"<0x%02X>\", as byte fallback is on", b));
                }
            }
        }
    }

    private final Rules rules;
    private final AlignedText text;
    private final TokenList out;
    private int unknownFrom = -1;
    private int unknownTo;

    PieceWriter(Rules rules, AlignedText text, TokenList out) {
        this.rules = rules;
        this.text = text;
        this.out = out;
    }

    /** A piece for the characters [begin, end). */
    void piece(int id, int begin, int end) {
        if (id == rules.unknownId) {
            unknown(begin, end);
            return;
        }
        finish();
        add(id, begin, end);
    }

    /** Characters without a piece. */
    void unknown(int begin, int end) {
        if (rules.bytes == null) {
            unknownFrom = unknownFrom < 0 ? begin : unknownFrom;
            unknownTo = end;
            return;
        }
        for (int i = begin; i < end; i++) {
            byte[] utf8 = Character.toString(text.codePoint(i)).getBytes(StandardCharsets.UTF_8);
            for (byte b : utf8) {
                add(rules.bytes[b & 0xFF], i, i + 1);
            }
        }
    }

    /** Ends the text, or a run of unknown characters in it. */
    void finish() {
        if (unknownFrom >= 0) {
            add(rules.unknownId, unknownFrom, unknownTo);
            unknownFrom = -1;
        }
    }

    private void add(int id, int begin, int end) {
        out.add(id, rules.vocabulary.token(id), text.start(begin), text.end(end - 1));
    }
}
