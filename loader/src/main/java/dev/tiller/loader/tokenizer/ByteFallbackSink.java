package dev.tiller.loader.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Joins tokens {@code <0xNN>} to characters. A run of them is decoded as a whole, since one wrong byte turns every byte of the
 * run into U+FFFD (so does the tokenizers library); it is held back until another token ends it.
 */
final class ByteFallbackSink implements TokenSink {
    private final TokenSink next;
    private final ByteArrayOutputStream run = new ByteArrayOutputStream();

    ByteFallbackSink(TokenSink next) {
        this.next = next;
    }

    @Override
    public void token(String token) {
        int value = value(token);
        if (value >= 0) {
            run.write(value);
            return;
        }
        endRun();
        next.token(token);
    }

    @Override
    public void finish() {
        endRun();
        next.finish();
    }

    private void endRun() {
        if (run.size() == 0) {
            return;
        }
        try {
            next.token(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(run.toByteArray()))
                    .toString());
        } catch (CharacterCodingException e) {
            for (int i = 0; i < run.size(); i++) {
                next.token(Character.toString(CodePoints.REPLACEMENT));
            }
        }
        run.reset();
    }

    /** The byte that a token {@code <0xNN>} stands for, or -1. */
    static int value(String token) {
        if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
            return -1;
        }
        int high = "0123456789ABCDEF".indexOf(Character.toUpperCase(token.charAt(3)));
        int low = "0123456789ABCDEF".indexOf(Character.toUpperCase(token.charAt(4)));
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    }
}
