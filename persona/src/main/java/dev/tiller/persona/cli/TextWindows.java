package dev.tiller.persona.cli;

import dev.tiller.engine.Model;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options that say which windows of which text a model reads. */
public final class TextWindows {
    @Option(names = "--text", required = true, paramLabel = "FILE", description = "The text, in UTF-8.")
    private Path text;

    @Option(
            names = "--window",
            paramLabel = "N",
            converter = ModelOptions.Positive.class,
            description = "Tokens of a window (default: 512, or the model's context if that is less).")
    private Integer window;

    @Option(
            names = "--windows",
            paramLabel = "A..B",
            converter = RangeOf.class,
            description = "Only windows A to B, counted from 0: tokens A * window to (B + 1) * window - 1 of the text.")
    private Range windows;

    /** Windows from..to, both included. */
    record Range(int from, int to) {}

    /**
     * What is to be read.
     *
     * @param name of the text
     * @param tokens of the windows that were asked for, without special tokens
     * @param window tokens of each
     */
    public record Part(String name, int[] tokens, int window) {
        /** How many windows there are; the last may be shorter, but for a single token, which foretells nothing. */
        public int windows() {
            return TextWindows.last(tokens.length, window) + 1;
        }
    }

    /** The part of the text for that model. */
    public Part of(Model model) {
        int[] tokens = model.tokenizer().encode(read(), false);
        if (tokens.length < 2) {
            throw new TillerException("--text " + text + ": expected at least 2 tokens, found " + tokens.length);
        }
        int size = window != null ? window : Math.min(512, model.spec().maxPositions());
        if (windows != null) {
            long begin = (long) windows.from * size;
            int last = last(tokens.length, size);
            if (windows.to > last) {
                throw new TillerException("--windows " + windows.from + ".." + windows.to + ": the text has "
                        + tokens.length + " tokens, and so windows 0.." + last);
            }
            tokens = Arrays.copyOfRange(tokens, (int) begin, (int) Math.min(tokens.length, (windows.to + 1L) * size));
        }
        return new Part(text.getFileName().toString(), tokens, size);
    }

    /** Number of the last window that has two tokens at least, of a text that has two itself. */
    static int last(int tokens, int window) {
        return Math.floorDiv(tokens - 2, window);
    }

    /** True if only some windows were asked for. */
    boolean chosen() {
        return windows != null;
    }

    private String read() {
        try {
            return Files.readString(text, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new TillerException("--text " + text + ": " + Messages.reason(e), e);
        }
    }

    static final class RangeOf implements ITypeConverter<Range> {
        private static final Pattern FORM = Pattern.compile("(\\d{1,9})(?:\\.\\.(\\d{1,9}))?");

        @Override
        public Range convert(String value) {
            Matcher m = FORM.matcher(value);
            if (m.matches()) {
                int from = Integer.parseInt(m.group(1));
                int to = m.group(2) == null ? from : Integer.parseInt(m.group(2));
                if (from <= to) {
                    return new Range(from, to);
                }
            }
            throw new TypeConversionException("expected windows such as 0..3, found \"" + value + "\"");
        }
    }
}
