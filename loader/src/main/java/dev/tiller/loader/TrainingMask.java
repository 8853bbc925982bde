package dev.tiller.loader;

import dev.tiller.loader.template.Span;
import dev.tiller.loader.tokenizer.Encoding;
import java.util.List;

/** Which tokens of a text training should learn to foretell. */
public final class TrainingMask {
    private TrainingMask() {}

    /**
     * True for the tokens that reach into one of the spans; a token that begins before a span and ends in it counts.
     *
     * @param text the text
     * @param tokens of the text, [T]
     * @param spans stretches of the text in ascending order, e.g. those of
     *     {@link dev.tiller.loader.template.AssistantSpans}
     * @return [T]
     */
    public static boolean[] of(String text, Encoding tokens, List<Span> spans) {
        boolean[] mask = new boolean[tokens.ids().length];
        int chars = 0;
        int points = 0;
        for (Span s : spans) {
            points += text.codePointCount(chars, s.start());
            int from = points;
            points += text.codePointCount(s.start(), s.end());
            chars = s.end();
            for (int t = 0; t < mask.length; t++) {
                mask[t] |= tokens.ends()[t] > from && tokens.starts()[t] < points;
            }
        }
        return mask;
    }
}
