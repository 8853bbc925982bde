package dev.tiller.loader.tokenizer;

import java.nio.charset.StandardCharsets;

/**
 * Pieces of SentencePiece back to text: U+2581 becomes a space, the one that was put before the text goes, and a run of
 * bytes becomes characters as soon as they are complete, each byte that is part of none U+FFFD.
 */
final class SentencePieceSink implements TokenSink {
    private final SentencePieces.Rules rules;
    private final TokenSink next;
    private final byte[] open = new byte[4];
    private int held;
    /** Whether the text is still empty and a space at its start is to go. */
    private boolean atStart;

    private SentencePieceSink(SentencePieces.Rules rules, TokenSink next) {
        this.rules = rules;
        this.next = next;
        this.atStart = rules.addDummyPrefix() || rules.removeExtraWhitespaces();
    }

    static DecoderStep step(SentencePieces.Rules rules) {
        return next -> new SentencePieceSink(rules, next);
    }

    @Override
    public void token(String token) {
        int value = rules.byteFallback() ? ByteFallbackSink.value(token) : -1;
        if (value >= 0) {
            open[held++] = (byte) value;
            atStart = false;
            drain(false);
            return;
        }
        drain(true);
        String piece = token;
        if (atStart && piece.startsWith(SentencePieces.SPACE_MARK)) {
            piece = piece.substring(1);
            atStart = rules.removeExtraWhitespaces() && piece.isEmpty();
        } else if (!piece.isEmpty()) {
            atStart = false;
        }
        next.token(piece.replace(SentencePieces.SPACE_MARK, " "));
    }

    @Override
    public void finish() {
        drain(true);
        next.finish();
    }

    /** Passes on the characters whose bytes are complete; with {@code all} nothing is held back. */
    private void drain(boolean all) {
        int at = 0;
        StringBuilder text = new StringBuilder();
        while (at < held) {
            int length = Utf8.characterLength(open, at, held);
            if (length == 0 && !all) {
                break; // may become one
            }
            if (length > 0) {
                text.append(new String(open, at, length, StandardCharsets.UTF_8));
            } else {
                text.append((char) CodePoints.REPLACEMENT);
            }
            at += Math.max(1, length);
        }
        System.arraycopy(open, at, open, 0, held - at);
        held -= at;
        if (!text.isEmpty()) {
            next.token(text.toString());
        }
    }
}
