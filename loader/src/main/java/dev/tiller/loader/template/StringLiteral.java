package dev.tiller.loader.template;

/** String literals of templates, with Python's escapes. */
final class StringLiteral {
    private StringLiteral() {}

    /** Index after the closing quote of the literal that begins at {@code start}. */
    static int end(String source, int start, int line) {
        char quote = source.charAt(start);
        for (int i = start + 1; i < source.length(); i++) {
            char c = source.charAt(i);
            if (c == quote) {
                return i + 1;
            }
            i += c == '\\' ? 1 : 0;
        }
        throw new SyntaxFault(line, "string literal without end");
    }

    static String value(String source, int start, int end, int line) {
        String inner = source.substring(start + 1, end - 1);
        if (inner.indexOf('\\') < 0) {
            return inner;
        }
        StringBuilder out = new StringBuilder();
        int i = 0;
        while (i < inner.length()) {
            char c = inner.charAt(i++);
            if (c != '\\') {
                out.append(c);
            } else {
                i = escape(inner, i, out, line);
            }
        }
        return out.toString();
    }

    /** Reads the escape whose letter is at {@code i}; returns the index after it. */
    private static int escape(String inner, int i, StringBuilder out, int line) {
        char c = inner.charAt(i);
        int known = "abfnrtv\\'\"".indexOf(c);
        if (known >= 0) {
            out.append("\u0007\b\f\n\r\t\u000b\\'\"".charAt(known));
            return i + 1;
        }
        return switch (c) {
            case '\n' -> i + 1;
            case 'x' -> hex(inner, i + 1, 2, out, line);
            case 'u' -> hex(inner, i + 1, 4, out, line);
            case 'U' -> hex(inner, i + 1, 8, out, line);
            case 'N' -> named(inner, i + 1, out, line);
            case '0', '1', '2', '3', '4', '5', '6', '7' -> octal(inner, i, out);
            default -> {
                out.append('\\').append(c);
                yield i + 1;
            }
        };
    }

    private static int hex(String inner, int start, int digits, StringBuilder out, int line) {
        int value = 0;
        for (int i = start; i < start + digits; i++) {
            int digit = i < inner.length() && inner.charAt(i) < 128 ? Character.digit(inner.charAt(i), 16) : -1;
            if (digit < 0) {
                throw new SyntaxFault(line, "truncated hexadecimal escape in a string literal");
            }
            value = value << 4 | digit;
        }
        if (!Character.isValidCodePoint(value)) {
            throw new SyntaxFault(line, "illegal Unicode character in a string literal");
        }
        out.appendCodePoint(value);
        return start + digits;
    }

    private static int octal(String inner, int start, StringBuilder out) {
        int value = 0;
        int i = start;
        while (i < inner.length() && i < start + 3 && inner.charAt(i) >= '0' && inner.charAt(i) <= '7') {
            value = value * 8 + inner.charAt(i++) - '0';
        }
        out.append((char) value);
        return i;
    }

    private static int named(String inner, int start, StringBuilder out, int line) {
        int end = inner.indexOf('}', start);
        if (start >= inner.length() || inner.charAt(start) != '{' || end < 0) {
            throw new SyntaxFault(line, "malformed \\N character escape");
        }
        try {
            out.appendCodePoint(Character.codePointOf(inner.substring(start + 1, end)));
        } catch (IllegalArgumentException unknown) {
            throw new SyntaxFault(line, "unknown Unicode character name");
        }
        return end + 1;
    }
}
