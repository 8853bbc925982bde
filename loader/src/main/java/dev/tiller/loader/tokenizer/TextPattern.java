package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a splitter or a replacement looks for. */
interface TextPattern {
    /** Characters [begin, end) of a text. */
    record Span(int begin, int end) {}

    /** The matches in order, none overlapping. */
    List<Span> matches(AlignedText text);

    /** Reads {"String": ...} or {"Regex": ...}. */
    static TextPattern read(Section owner, String key) {
        Section section = owner.section(key);
        if (section.keys().size() == 1) {
            if (section.has("String")) {
                return literal(section.text("String"));
            }
            if (section.has("Regex")) {
                String regex = section.string("Regex");
                try {
                    return regex(regex);
                } catch (IllegalArgumentException e) {
                    throw section.error("Regex", "a regular expression Tiller can read (" + e.getMessage() + ")");
                }
            }
        }
        throw owner.error(key, "an object with \"String\" or \"Regex\"");
    }

    /** A text that stands for itself; not empty. */
    static TextPattern literal(String text) {
        return new Literal(text);
    }

    /**
     * A regular expression in the syntax of Oniguruma.
     *
     * @throws IllegalArgumentException if it is malformed or uses what has no equal in Java
     */
    static TextPattern regex(String regex) {
        WordPattern known = WordPattern.of(regex);
        return known != null ? known : new Regex(RegexTranslator.compile(regex));
    }

    /** Every single character with the property. */
    static TextPattern each(IntPredicate property) {
        return text -> {
            List<Span> out = new ArrayList<>();
            for (int i = 0; i < text.length(); i++) {
                if (property.test(text.codePoint(i))) {
                    out.add(new Span(i, i + 1));
                }
            }
            return out;
        };
    }

    /** Occurrences of a fixed text. */
    record Literal(String literal) implements TextPattern {
        @Override
        public List<Span> matches(AlignedText text) {
            int[] wanted = literal.codePoints().toArray();
            List<Span> out = new ArrayList<>();
            for (int at = 0; at + wanted.length <= text.length(); ) {
                int same = 0;
                while (same < wanted.length && text.codePoint(at + same) == wanted[same]) {
                    same++;
                }
                if (same == wanted.length) {
                    out.add(new Span(at, at + same));
                    at += same;
                } else {
                    at++;
                }
            }
            return out;
        }
    }

    /** Matches of a Java pattern, converted from UTF-16 positions to code points. */
    record Regex(Pattern pattern) implements TextPattern {
        @Override
        public List<Span> matches(AlignedText text) {
            if (text.isEmpty()) {
                return List.of();
            }
            String units = text.text();
            List<Span> out = new ArrayList<>();
            try {
                Matcher matcher = pattern.matcher(units);
                int unit = 0;
                int character = 0;
                int lastEnd = -1;
                while (matcher.find()) {
                    boolean empty = matcher.end() == matcher.start();
                    if (empty && (matcher.start() == lastEnd || splitsPair(units, matcher.start()))) {
                        continue; // right after another match or inside a character an empty match does not count
                    }
                    lastEnd = matcher.end();
                    int begin = character + units.codePointCount(unit, matcher.start());
                    character = begin + units.codePointCount(matcher.start(), lastEnd);
                    unit = lastEnd;
                    out.add(new Span(begin, character));
                }
            } catch (StackOverflowError e) {
                throw new TillerException(
                        "the tokenizer's pattern " + pattern + " needs too much stack for a text of " + text.length()
                                + " characters; expected a pattern without repeated groups",
                        e);
            }
            return out;
        }

        private static boolean splitsPair(String units, int at) {
            return at > 0 && at < units.length() && Character.isSurrogatePair(units.charAt(at - 1), units.charAt(at));
        }
    }
}
