package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/** Searching, splitting and replacing in strings, in time linear in their length whatever they hold. */
final class TextParts {
    private static final int LONG_PART = 64;
    private static final long PRIME = (1L << 31) - 1;

    private TextParts() {}

    /** The first place of the part from {@code from} on, or -1. */
    static int indexOf(String text, String part, int from) {
        return part.length() <= LONG_PART ? text.indexOf(part, from) : indexOfLong(text, part, from);
    }

    /**
     * Rabin and Karp's search: compares a rolling hash (with a random base, so that no text can foresee it) and looks
     * closer only where it fits. The plain search takes the product of both lengths on texts made for that.
     */
    private static int indexOfLong(String text, String part, int from) {
        int size = part.length();
        if (size > text.length() - from) {
            return -1;
        }
        long base = ThreadLocalRandom.current().nextLong(1 << 16, PRIME);
        long power = 1;
        long wanted = 0;
        long hash = 0;
        for (int i = 0; i < size; i++) {
            power = i == 0 ? 1 : power * base % PRIME;
            wanted = (wanted * base + part.charAt(i)) % PRIME;
            hash = (hash * base + text.charAt(from + i)) % PRIME;
        }
        for (int at = from; ; at++) {
            if (hash == wanted && text.startsWith(part, at)) {
                return at;
            }
            if (at + size >= text.length()) {
                return -1;
            }
            hash = (hash + PRIME - text.charAt(at) * power % PRIME) % PRIME;
            hash = (hash * base + text.charAt(at + size)) % PRIME;
        }
    }

    /** The last place of the part that ends at {@code end} or before, or -1. */
    static int lastIndexOf(Budget budget, String text, String part, int end) {
        if (part.length() > LONG_PART) {
            budget.steps((long) text.length() * part.length() >> 6);
        }
        return end < part.length() ? -1 : text.lastIndexOf(part, end - part.length());
    }

    /** Lines without their ends (or with, if {@code keepEnds}). */
    static List<Object> lines(Budget budget, String text, boolean keepEnds) {
        List<Object> lines = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            if (Text.isLineBreak(text.charAt(i))) {
                int next = i + (text.startsWith("\r\n", i) ? 2 : 1);
                add(budget, lines, text.substring(start, keepEnds ? next : i));
                start = next;
                i = next - 1;
            }
        }
        if (start < text.length()) {
            add(budget, lines, text.substring(start));
        }
        return lines;
    }

    private static void add(Budget budget, List<Object> parts, String part) {
        budget.elements(1);
        budget.text(part.length());
        parts.add(part);
    }

    /** Words between runs of spaces, at most {@code limit} splits (negative: all), counted from one of the ends. */
    static List<Object> words(Budget budget, String text, long limit, boolean fromRight) {
        return fromRight ? lastWords(budget, text, limit) : firstWords(budget, text, limit);
    }

    private static List<Object> firstWords(Budget budget, String text, long limit) {
        List<Object> words = new ArrayList<>();
        int at = 0;
        while (true) {
            while (at < text.length() && Text.isSpace(text.charAt(at))) {
                at++;
            }
            if (at == text.length()) {
                return words;
            }
            int start = at;
            boolean last = words.size() == limit;
            while (at < text.length() && (last || !Text.isSpace(text.charAt(at)))) {
                at++;
            }
            add(budget, words, text.substring(start, at));
        }
    }

    private static List<Object> lastWords(Budget budget, String text, long limit) {
        List<Object> words = new ArrayList<>();
        int at = text.length();
        while (true) {
            while (at > 0 && Text.isSpace(text.charAt(at - 1))) {
                at--;
            }
            if (at == 0) {
                return words.reversed();
            }
            int end = at;
            boolean last = words.size() == limit;
            while (at > 0 && (last || !Text.isSpace(text.charAt(at - 1)))) {
                at--;
            }
            add(budget, words, text.substring(at, end));
        }
    }

    /** Parts between separators, at most {@code limit} splits (negative: all), counted from one of the ends. */
    static List<Object> split(Budget budget, String text, String separator, long limit, boolean fromRight) {
        if (separator.isEmpty()) {
            throw Fault.value("empty separator");
        }
        List<Object> parts = new ArrayList<>();
        int start = 0;
        int end = text.length();
        while (limit < 0 || parts.size() < limit) {
            int at = fromRight ? lastIndexOf(budget, text, separator, end) : indexOf(text, separator, start);
            if (at < 0) {
                break;
            }
            add(budget, parts, fromRight ? text.substring(at + separator.length(), end) : text.substring(start, at));
            start = at + separator.length();
            end = at;
        }
        add(budget, parts, fromRight ? text.substring(0, end) : text.substring(start));
        return fromRight ? parts.reversed() : parts;
    }

    /** Number of occurrences that do not overlap; an empty part fits between all code points. */
    static long count(String text, String part) {
        if (part.isEmpty()) {
            return Text.length(text) + 1L;
        }
        long count = 0;
        for (int at = indexOf(text, part, 0); at >= 0; at = indexOf(text, part, at + part.length())) {
            count++;
        }
        return count;
    }

    /** Replaces the first {@code limit} occurrences (negative: all). */
    static String replace(Budget budget, String text, String old, String replacement, long limit) {
        budget.scan(text.length());
        long found = count(text, old);
        long times = limit < 0 ? found : Math.min(limit, found);
        if (times == 0) {
            return text;
        }
        budget.text(text.length() + Math.max(0, times * (replacement.length() - (long) old.length())));
        StringBuilder result = new StringBuilder();
        int from = 0;
        for (long i = 0; i < times; i++) {
            int at = old.isEmpty() ? from : indexOf(text, old, from);
            result.append(text, from, at).append(replacement);
            from = at + old.length();
            if (old.isEmpty() && from < text.length()) {
                int next = from + Character.charCount(text.codePointAt(from));
                result.append(text, from, next);
                from = next;
            }
        }
        return result.append(text, Math.min(from, text.length()), text.length()).toString();
    }

    static String repeat(Budget budget, String text, long times) {
        if (times <= 0 || text.isEmpty()) {
            return "";
        }
        budget.text(times > Budget.MAX_CHARS ? Long.MAX_VALUE >> 1 : times * text.length());
        return text.repeat((int) times);
    }
}
