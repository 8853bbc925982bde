package dev.tiller.loader.tokenizer;

import java.util.ArrayList;
import java.util.List;

/**
 * The patterns by which GPT-2, Llama 3 and Qwen cut a text into words, matched by hand: the same matches as the regular
 * expressions in their files, many times faster. Every character belongs to exactly one word.
 *
 * @param modern whether a word takes along any one character before it and line ends follow punctuation (Llama 3, Qwen),
 *     else the rules of GPT-2 hold
 * @param digits how many digits make a word at most
 */
record WordPattern(boolean modern, int digits) implements TextPattern {
    private static final String GPT2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
    private static final String REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private static final byte LETTER = 1;
    private static final byte NUMBER = 2;
    private static final byte SPACE = 3;
    private static final byte OTHER = 4;

    private static final int LETTERS = 1 << Character.UPPERCASE_LETTER
            | 1 << Character.LOWERCASE_LETTER
            | 1 << Character.TITLECASE_LETTER
            | 1 << Character.MODIFIER_LETTER
            | 1 << Character.OTHER_LETTER;

    /** Kinds of the characters below U+0800. */
    private static final byte[] KINDS = new byte[0x800];

    static {
        for (int c = 0; c < KINDS.length; c++) {
            KINDS[c] = findKind(c);
        }
    }

    /** The pattern for a regular expression, or null if it is none of those known. */
    static WordPattern of(String regex) {
        return switch (regex) {
            case GPT2 -> new WordPattern(false, Integer.MAX_VALUE);
            case WORDS + "\\p{N}{1,3}" + REST -> new WordPattern(true, 3);
            case WORDS + "\\p{N}" + REST -> new WordPattern(true, 1);
            default -> null;
        };
    }

    private static byte kind(int c) {
        return c < KINDS.length ? KINDS[c] : findKind(c);
    }

    private static byte findKind(int c) {
        if ((LETTERS >> Character.getType(c) & 1) != 0) {
            return LETTER;
        }
        return CodePoints.isNumber(c) ? NUMBER : CodePoints.isWhitespace(c) ? SPACE : OTHER;
    }

    @Override
    public List<Span> matches(AlignedText text) {
        List<Span> out = new ArrayList<>();
        for (int at = 0; at < text.length(); ) {
            int end = end(text, at);
            out.add(new Span(at, end));
            at = end;
        }
        return out;
    }

    /** Where the word that begins at a place ends. */
    int end(AlignedText text, int from) {
        int c = text.codePoint(from);
        if (c == '\'') {
            int length = contraction(text, from);
            if (length > 0) {
                return from + length;
            }
        }
        byte kind = kind(c);
        byte next = from + 1 < text.length() ? kind(text.codePoint(from + 1)) : 0;
        if (kind == LETTER) {
            return run(text, from, LETTER);
        }
        boolean lineEnd = c == '\r' || c == '\n';
        if (next == LETTER && (modern ? kind != NUMBER && !lineEnd : c == ' ')) {
            return run(text, from + 1, LETTER);
        }
        if (kind == NUMBER || !modern && c == ' ' && next == NUMBER) {
            int first = kind == NUMBER ? from : from + 1;
            return run(text, first, NUMBER, digits);
        }
        if (kind == OTHER || c == ' ' && next == OTHER) {
            int end = run(text, from + 1, OTHER);
            while (modern && end < text.length() && isLineEnd(text.codePoint(end))) {
                end++;
            }
            return end;
        }
        return spaces(text, from);
    }

    /** White space: up to its last line end, or without the last one if something follows that may take it along. */
    private int spaces(AlignedText text, int from) {
        int end = run(text, from, SPACE);
        for (int i = end - 1; modern && i >= from; i--) {
            if (isLineEnd(text.codePoint(i))) {
                return i + 1;
            }
        }
        return end == text.length() || end == from + 1 ? end : end - 1;
    }

    private static boolean isLineEnd(int c) {
        return c == '\r' || c == '\n';
    }

    private static int run(AlignedText text, int from, byte kind) {
        return run(text, from, kind, Integer.MAX_VALUE);
    }

    /** Where a run of one kind ends; looks no further than it may be long. */
    private static int run(AlignedText text, int from, byte kind, int most) {
        int last = (int) Math.min(text.length(), (long) from + most);
        int at = from;
        while (at < last && kind(text.codePoint(at)) == kind) {
            at++;
        }
        return at;
    }

    /** The length of 's 't 're 've 'm 'll 'd at a place, or 0. */
    private int contraction(AlignedText text, int from) {
        int first = from + 1 < text.length() ? folded(text.codePoint(from + 1)) : 0;
        if (first == 's' || first == 't' || first == 'm' || first == 'd') {
            return 2;
        }
        int second = from + 2 < text.length() ? folded(text.codePoint(from + 2)) : 0;
        boolean three = (first == 'r' || first == 'v') && second == 'e' || first == 'l' && second == 'l';
        return three ? 3 : 0;
    }

    private int folded(int c) {
        if (!modern) {
            return c;
        }
        return c >= 'A' && c <= 'Z' ? c + 32 : c == 0x17F ? 's' : c;
    }
}
