package dev.tiller.loader.tokenizer;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Rewrites a regular expression from the syntax of Oniguruma (its Ruby flavour, in which tokenizer.json files are
 * written) to that of {@link Pattern}. Most of it is the same; what differs is rewritten, and what could silently mean
 * something else is refused.
 */
final class RegexTranslator {
    /** Unicode meaning for \s \d \w \b and for case; '\n' alone ends a line, and ^ and $ mean lines. */
    private static final int FLAGS = Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNIX_LINES | Pattern.MULTILINE;

    private static final Map<String, String> LONG_CATEGORIES = Map.ofEntries(
            Map.entry("letter", "L"),
            Map.entry("uppercaseletter", "Lu"),
            Map.entry("lowercaseletter", "Ll"),
            Map.entry("titlecaseletter", "Lt"),
            Map.entry("modifierletter", "Lm"),
            Map.entry("otherletter", "Lo"),
            Map.entry("mark", "M"),
            Map.entry("number", "N"),
            Map.entry("decimalnumber", "Nd"),
            Map.entry("punctuation", "P"),
            Map.entry("symbol", "S"),
            Map.entry("separator", "Z"),
            Map.entry("other", "C"),
            Map.entry("alphabetic", "IsAlphabetic"),
            Map.entry("uppercase", "IsUppercase"),
            Map.entry("lowercase", "IsLowercase"),
            Map.entry("whitespace", "IsWhite_Space"),
            Map.entry("ideographic", "IsIdeographic"),
            Map.entry("emoji", "IsEmoji"));

    /**
     * What \w means to Oniguruma in a class, which Java's own \w is not: found by trying every code point. Joiners do not
     * belong to words.
     */
    private static final String WORD_IN_CLASS = "\\p{IsAlphabetic}\\p{M}\\p{Nd}\\p{Pc}";

    /** Outside of a class six fractions and superscripts of Latin-1 belong to words, too. */
    private static final String WORD = WORD_IN_CLASS + "\\u00B2\\u00B3\\u00B9\\u00BC-\\u00BE";

    /**
     * Matches nothing, but has a character beyond U+FFFF: only if one comes after it in the text of a pattern does
     * {@link Pattern} look behind by characters and not by halves of them.
     */
    private static final String LOOK_BEHIND_CHARACTERS = "(?:\uD800\uDC00){0}";

    /** Names that stand for what is in a class here, as properties and, between colons, in classes. */
    private static final Map<String, String> SETS = Map.ofEntries(
            Map.entry("alpha", "\\p{IsAlphabetic}"),
            Map.entry("alnum", "\\p{IsAlphabetic}\\p{Nd}"),
            Map.entry("digit", "\\p{Nd}"),
            Map.entry("xdigit", "0-9a-fA-F"),
            Map.entry("upper", "\\p{IsUppercase}"),
            Map.entry("lower", "\\p{IsLowercase}"),
            Map.entry("space", "\\p{IsWhite_Space}"),
            Map.entry("blank", "\\p{Zs}\\t"),
            Map.entry("cntrl", "\\p{Cc}"),
            Map.entry("ascii", "\\x00-\\x7F"),
            Map.entry("any", "\\x00-\\x{10FFFF}"),
            Map.entry("punct", "\\p{P}"));

    /** The one name that means more between colons than as a property. */
    private static final String PUNCTUATION_AND_SYMBOLS = "\\p{P}\\p{S}";

    private static final String EDGE = "(?:(?<=[%1$s])(?![%1$s])|(?<![%1$s])(?=[%1$s]))".formatted(WORD);
    private static final String NO_EDGE = "(?:(?<=[%1$s])(?=[%1$s])|(?<![%1$s])(?![%1$s]))".formatted(WORD);

    private final String regex;
    private final StringBuilder out = new StringBuilder();
    /** Stands for the group that flags without an end open: it ends with the group around it. */
    private static final int UNMARKED = -1;

    /** Where each open group began in the output, or {@link #UNMARKED}. */
    private final Deque<Integer> groups = new ArrayDeque<>();
    /** Where the item that a quantifier would apply to begins in the output; -1 if there is none. */
    private int item = -1;

    private int at;

    private RegexTranslator(String regex) {
        this.regex = regex;
    }

    /**
     * Translates and compiles.
     *
     * @throws IllegalArgumentException if the expression is malformed or has no equal in Java
     */
    static Pattern compile(String regex) {
        RegexTranslator translator = new RegexTranslator(regex);
        translator.translate();
        try {
            String java = translator.out.toString();
            boolean looksBehind = java.contains("(?<");
            return Pattern.compile(looksBehind ? java + LOOK_BEHIND_CHARACTERS : java, FLAGS);
        } catch (PatternSyntaxException e) { // its message has several lines
            throw new IllegalArgumentException(e.getDescription(), e);
        }
    }

    private void translate() {
        while (at < regex.length()) {
            int c = regex.codePointAt(at);
            switch (c) {
                case '\\' -> {
                    item = out.length();
                    escape(false);
                }
                case '[' -> {
                    item = out.length();
                    characterClass();
                }
                case '(' -> group();
                case ')' -> {
                    closeUnmarked();
                    item = groups.isEmpty() ? -1 : groups.pop();
                    copy(1);
                }
                case '|', '^', '$' -> {
                    item = -1;
                    copy(1);
                }
                case '*', '+', '?' -> simpleQuantifier();
                case '{' -> interval();
                default -> {
                    item = out.length();
                    literal(c);
                }
            }
        }
        closeUnmarked();
    }

    private void closeUnmarked() {
        while (!groups.isEmpty() && groups.peek() == UNMARKED) {
            groups.pop();
            out.append(')');
        }
    }

    private void copy(int count) {
        out.append(regex, at, at + count);
        at += count;
    }

    private void literal(int c) {
        if (c == ']' || c == '}') {
            out.append('\\');
        }
        copy(Character.charCount(c));
    }

    private void group() {
        groups.push(out.length());
        item = -1;
        if (!regex.startsWith("(?", at)) {
            copy(1);
            return;
        }
        for (String plain : new String[] {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
            if (regex.startsWith(plain, at)) {
                copy(plain.length());
                return;
            }
        }
        int end = at + 2;
        StringBuilder flags = new StringBuilder();
        while (end < regex.length() && "im-".indexOf(regex.charAt(end)) >= 0) {
            char flag = regex.charAt(end++);
            flags.append(flag == 'm' ? 's' : flag); // "m" lets the dot match line ends there
        }
        boolean unmarked = end < regex.length() && regex.charAt(end) == ')';
        if (flags.isEmpty() || end == regex.length() || !unmarked && regex.charAt(end) != ':') {
            throw refuse("a group of this kind");
        }
        if (unmarked) {
            groups.pop();
            groups.push(UNMARKED);
        }
        out.append("(?").append(flags).append(':');
        at = end + 1;
    }

    private void simpleQuantifier() {
        if (item < 0) {
            throw refuse("a quantifier with nothing to repeat");
        }
        copy(1);
        if (at < regex.length() && (regex.charAt(at) == '?' || regex.charAt(at) == '+')) {
            copy(1);
        }
    }

    /** {n}, {n,}, {,m} or {n,m}; a brace that is none of these is a literal. */
    private void interval() {
        int end = regex.indexOf('}', at);
        String bounds = end < 0 ? "" : regex.substring(at + 1, end);
        if (!bounds.matches("\\d{1,6}(,\\d{0,6})?|,\\d{1,6}")) {
            item = out.length();
            out.append("\\{");
            at++;
            return;
        }
        if (item < 0) {
            throw refuse("a quantifier with nothing to repeat");
        }
        out.append('{').append(bounds.startsWith(",") ? "0" : "").append(bounds).append('}');
        at = end + 1;
        if (at < regex.length() && regex.charAt(at) == '+') { // here a second repetition, not a possessive one
            out.insert(item, "(?:").append(")");
        } else if (at < regex.length() && regex.charAt(at) == '?') {
            if (!bounds.contains(",")) {
                throw refuse("a lazy fixed repetition");
            }
            copy(1);
        }
    }

    /** Copies a class; nested classes and intersections are written alike in both syntaxes. */
    private void characterClass() {
        int depth = 0;
        do {
            if (at >= regex.length()) {
                throw refuse("an unclosed character class");
            }
            int c = regex.codePointAt(at);
            if (c == '\\') {
                escape(true);
                continue;
            }
            if (c == '[') {
                if (regex.startsWith("[:", at)) {
                    namedClass();
                    continue;
                }
                depth++;
                copy(regex.startsWith("[^", at) ? 2 : 1);
                if (regex.startsWith("]", at)) {
                    throw refuse("an empty character class");
                }
                continue;
            }
            if (c == ']') {
                depth--;
            }
            copy(Character.charCount(c));
        } while (depth > 0);
    }

    /** [:name:] or [:^name:]. */
    private void namedClass() {
        int end = regex.indexOf(":]", at + 2);
        boolean not = regex.startsWith("^", at + 2);
        String name = end < 0 ? "" : regex.substring(at + (not ? 3 : 2), end);
        String set =
                name.equals("punct") ? PUNCTUATION_AND_SYMBOLS : name.equals("word") ? WORD_IN_CLASS : SETS.get(name);
        if (set == null || name.equals("any")) {
            throw refuse("a class of this name");
        }
        out.append(not ? "[^" : "[").append(set).append(']');
        at = end + 2;
    }

    private void escape(boolean inClass) {
        if (at + 1 >= regex.length()) {
            throw refuse("a backslash at the end");
        }
        int c = regex.codePointAt(at + 1);
        switch (c) {
            case 'p', 'P' -> property(c == 'P');
            case 's', 'S', 'd', 'D', 'n', 'r', 't', 'f', 'a', 'e', 'x', 'u', 'A', 'z', 'Z' -> copy(2);
            case 'w' -> replace("[" + (inClass ? WORD_IN_CLASS : WORD) + "]");
            case 'W' -> replace("[^" + (inClass ? WORD_IN_CLASS : WORD) + "]");
            case 'b' -> replace(inClass ? "\\x08" : EDGE);
            case 'B' -> {
                if (inClass) {
                    throw refuse("\\B in a character class");
                }
                replace(NO_EDGE);
            }
            case 'h' -> replace("[0-9a-fA-F]");
            case 'H' -> replace("[^0-9a-fA-F]");
            case 'v' -> replace("\\x0B");
            default -> {
                if (c < 0x80 && Character.isLetterOrDigit(c)) {
                    throw refuse("\\" + Character.toString(c));
                }
                if (c < 0x80) {
                    copy(2);
                } else { // a backslash before a letter beyond ASCII means nothing in either syntax
                    at++;
                    copy(Character.charCount(c));
                }
            }
        }
    }

    private void replace(String text) {
        out.append(text);
        at += 2;
    }

    private void property(boolean negated) {
        int end = regex.indexOf('}', at);
        if (end < 0 || regex.charAt(at + 2) != '{') {
            throw refuse("a property without a name");
        }
        String name = regex.substring(at + 3, end);
        boolean not = negated ^ name.startsWith("^");
        String plain = name.startsWith("^") ? name.substring(1) : name;
        String set = SETS.get(key(plain));
        if (set != null) {
            out.append(not ? "[^" : "[").append(set).append(']');
            at = end + 1;
            return;
        }
        out.append(not ? "\\P{" : "\\p{").append(javaProperty(plain)).append('}');
        at = end + 1;
    }

    private static String key(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[ _-]", "");
    }

    private String javaProperty(String name) {
        String key = key(name);
        if (LONG_CATEGORIES.containsKey(key)) {
            return LONG_CATEGORIES.get(key);
        }
        if (key.equals("lc")) {
            return "LC";
        }
        if (key.matches("[a-z]{1,2}")) { // a general category by its short name, which Java checks
            return key.substring(0, 1).toUpperCase(Locale.ROOT) + key.substring(1);
        }
        try {
            return "Is" + Character.UnicodeScript.forName(name);
        } catch (IllegalArgumentException e) {
            throw refuse("the property " + name);
        }
    }

    private IllegalArgumentException refuse(String what) {
        return new IllegalArgumentException(what + " near position " + Math.min(at, regex.length()));
    }
}
