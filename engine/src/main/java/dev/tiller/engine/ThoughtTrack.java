package dev.tiller.engine;

import dev.tiller.loader.template.ThinkingMarkers;
import dev.tiller.loader.tokenizer.StreamDecoder;
import java.util.BitSet;

/** Follows a growing answer and notes after which of its tokens it is inside thoughts. */
final class ThoughtTrack {
    private final ThinkingMarkers markers;
    private final StreamDecoder decoder;
    private final StringBuilder tail = new StringBuilder();
    private final BitSet inside = new BitSet();
    private boolean thinking;
    private int tokens;

    /**
     * @param decoder of the model's tokens, special ones included
     * @param thinking whether the prompt ends inside thoughts
     */
    ThoughtTrack(ThinkingMarkers markers, StreamDecoder decoder, boolean thinking) {
        this.markers = markers;
        this.decoder = decoder;
        this.thinking = thinking;
    }

    /** Takes the next token of the answer. */
    void append(int id) {
        tail.append(decoder.append(id));
        while (true) {
            String wanted = thinking ? markers.close() : markers.open();
            int at = tail.indexOf(wanted);
            if (at < 0) {
                tail.delete(0, Math.max(0, tail.length() - wanted.length() + 1));
                break;
            }
            tail.delete(0, at + wanted.length());
            thinking = !thinking;
        }
        inside.set(tokens++, thinking);
    }

    /** True if the answer is inside thoughts after its token k. */
    boolean after(int k) {
        if (k >= tokens) {
            throw new IllegalStateException("token " + k + " of the answer is not known yet");
        }
        return inside.get(k);
    }
}
