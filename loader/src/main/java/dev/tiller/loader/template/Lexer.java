package dev.tiller.loader.template;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a template into tokens, with Jinja's rules for white space: a minus sign in a tag strips all white space on
 * that side, a plus sign keeps it; without a sign, a block or comment loses the blanks before it on its line and one
 * newline after it (lstrip_blocks, trim_blocks). One newline at the end of the template is dropped.
 */
final class Lexer {
    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    /** Line counting: the line of {@link #counted}. */
    private int line = 1;

    private int counted;

    private Lexer(String source) {
        String normal = source.replace("\r\n", "\n").replace('\r', '\n');
        this.source = normal.endsWith("\n") ? normal.substring(0, normal.length() - 1) : normal;
    }

    static List<Token> tokens(String source) {
        Lexer lexer = new Lexer(source);
        lexer.template();
        return lexer.tokens;
    }

    private int line(int position) {
        for (; counted < position; counted++) {
            line += source.charAt(counted) == '\n' ? 1 : 0;
        }
        return line;
    }

    private void add(Token.Type type, String text, Object value, int position) {
        tokens.add(new Token(type, text, value, line(position)));
    }

    private void template() {
        while (at < source.length()) {
            int tag = nextTag(at);
            if (tag < 0) {
                data(at, source.length());
                break;
            }
            int start = at;
            char kind = source.charAt(tag + 1);
            int raw = kind == '%' ? rawBegin(tag) : -1;
            char sign = sign(tag + 2);
            data(start, stripBefore(start, tag, sign, kind != '{'));
            at = tag + 2 + (sign == 0 ? 0 : 1);
            if (raw >= 0) {
                raw(tag, raw);
            } else if (kind == '#') {
                comment(tag);
            } else {
                tag(kind == '%', tag);
            }
        }
        add(Token.Type.END, "", null, source.length());
    }

    private int nextTag(int from) {
        for (int i = source.indexOf('{', from); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            char next = source.charAt(i + 1);
            if (next == '{' || next == '%' || next == '#') {
                return i;
            }
        }
        return -1;
    }

    private char sign(int position) {
        char c = position < source.length() ? source.charAt(position) : 0;
        return c == '-' || c == '+' ? c : 0;
    }

    /** Where the text from {@code start} up to a tag ends once the tag has stripped its left side. */
    private int stripBefore(int start, int tag, char sign, boolean stripsLine) {
        int end = tag;
        if (sign == '-') {
            while (end > start && Text.isSpace(source.charAt(end - 1))) {
                end--;
            }
            return end;
        }
        if (sign == '+' || !stripsLine) {
            return tag;
        }
        while (end > start && source.charAt(end - 1) != '\n' && Text.isSpace(source.charAt(end - 1))) {
            end--;
        }
        boolean lineStart = end == 0 || source.charAt(end - 1) == '\n';
        return lineStart ? end : tag;
    }

    private void data(int start, int end) {
        if (end > start) {
            add(Token.Type.DATA, source.substring(start, end), null, start);
        }
    }

    private int skipSpace(int from) {
        int i = from;
        while (i < source.length() && Text.isSpace(source.charAt(i))) {
            i++;
        }
        return i;
    }

    /** The end of a closing mark such as {@code -%}} at {@code i}, white space it eats included; -1 if none is there. */
    private int closing(int i, String mark, boolean trims) {
        if (source.startsWith("-" + mark, i)) {
            return skipSpace(i + 3);
        }
        if (trims && source.startsWith("+" + mark, i)) {
            return i + 3;
        }
        if (!source.startsWith(mark, i)) {
            return -1;
        }
        return i + 2 + (trims && source.startsWith("\n", i + 2) ? 1 : 0);
    }

    private void comment(int tag) {
        for (int i = at; i < source.length(); i++) {
            int end = closing(i, "#}", true);
            if (end >= 0) {
                at = end;
                return;
            }
        }
        throw new SyntaxFault(line(tag), "Missing end of comment tag");
    }

    /** The end of a {@code {% raw %}} tag that begins at {@code tag}; -1 if it is another tag. */
    private int rawBegin(int tag) {
        int i = skipSpace(tag + 2 + (sign(tag + 2) == 0 ? 0 : 1));
        if (!source.startsWith("raw", i)) {
            return -1;
        }
        i = skipSpace(i + 3);
        return source.startsWith("+%}", i) ? -1 : closing(i, "%}", false);
    }

    private void raw(int tag, int start) {
        for (int i = source.indexOf("{%", start); i >= 0; i = source.indexOf("{%", i + 1)) {
            char sign = sign(i + 2);
            int word = skipSpace(i + 2 + (sign == 0 ? 0 : 1));
            int end = source.startsWith("endraw", word) ? closing(skipSpace(word + 6), "%}", true) : -1;
            if (end >= 0) {
                data(start, Math.max(start, stripBefore(start, i, sign, true)));
                at = end;
                return;
            }
        }
        throw new SyntaxFault(line(tag), "Missing end of raw directive");
    }

    /** The inside of a {@code {{ }}} or {@code {% %}} tag, both marks included. */
    private void tag(boolean block, int tag) {
        add(block ? Token.Type.BLOCK_BEGIN : Token.Type.OUTPUT_BEGIN, "", null, tag);
        Deque<Character> open = new ArrayDeque<>();
        while (true) {
            int end = open.isEmpty() ? closing(at, block ? "%}" : "}}", block) : -1;
            if (end >= 0) {
                add(block ? Token.Type.BLOCK_END : Token.Type.OUTPUT_END, "", null, at);
                at = end;
                return;
            }
            if (at >= source.length()) {
                throw new SyntaxFault(line(tag), "the tag that begins here is not closed");
            }
            if (Text.isSpace(source.charAt(at))) {
                at++;
            } else {
                element(open);
            }
        }
    }

    private void element(Deque<Character> open) {
        char c = source.charAt(at);
        if (c == '\'' || c == '"') {
            int end = StringLiteral.end(source, at, line(at));
            add(Token.Type.LITERAL_STRING, source.substring(at, end), StringLiteral.value(source, at, end, line), at);
            at = end;
        } else if (c >= '0' && c <= '9') {
            number();
        } else if (isWordPart(source.codePointAt(at))) {
            name();
        } else {
            operator(open);
        }
    }

    private static boolean isWordPart(int c) {
        return c == '_' || Character.isLetterOrDigit(c) || Character.isUnicodeIdentifierPart(c) && c > 127;
    }

    private void name() {
        int end = at;
        while (end < source.length() && isWordPart(source.codePointAt(end))) {
            end += Character.charCount(source.codePointAt(end));
        }
        int first = source.codePointAt(at);
        if (first != '_' && !Character.isUnicodeIdentifierStart(first)) {
            throw new SyntaxFault(line(at), "Invalid character in identifier");
        }
        add(Token.Type.NAME, source.substring(at, end), null, at);
        at = end;
    }

    private void number() {
        boolean afterDot = at > 0 && source.charAt(at - 1) == '.';
        NumberLiteral literal = NumberLiteral.read(source, at, afterDot, line(at));
        Token.Type type = literal.value() instanceof Double ? Token.Type.LITERAL_FLOAT : Token.Type.LITERAL_INTEGER;
        add(type, source.substring(at, literal.end()), literal.value(), at);
        at = literal.end();
    }

    private void operator(Deque<Character> open) {
        String two = source.substring(at, Math.min(at + 2, source.length()));
        boolean isTwo =
                two.length() == 2 && List.of("//", "**", "==", "!=", ">=", "<=").contains(two);
        String operator = isTwo ? two : two.substring(0, 1);
        char c = operator.charAt(0);
        if (!isTwo && "+-/*%~[](){}><=.:|,;".indexOf(c) < 0) {
            throw new SyntaxFault(line(at), "unexpected char " + Values.shortText(operator));
        }
        switch (c) {
            case '(' -> open.push(')');
            case '[' -> open.push(']');
            case '{' -> open.push('}');
            case ')', ']', '}' -> {
                if (open.isEmpty()) {
                    throw new SyntaxFault(line(at), "unexpected '" + c + "'");
                }
                char expected = open.pop();
                if (expected != c) {
                    throw new SyntaxFault(line(at), "unexpected '" + c + "', expected '" + expected + "'");
                }
            }
            default -> {}
        }
        add(Token.Type.OPERATOR, operator, null, at);
        at += operator.length();
    }
}
