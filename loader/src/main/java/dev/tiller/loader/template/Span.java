package dev.tiller.loader.template;

/**
 * A stretch of a rendered text.
 *
 * @param start index of the first {@code char} of the Java string
 * @param end index after the last {@code char}
 */
public record Span(int start, int end) {
    Span shifted(int by) {
        return new Span(start + by, end + by);
    }
}
