package dev.tiller.loader.template;

import java.util.Iterator;
import java.util.List;
import java.util.function.IntPredicate;

/** Methods of Python's str. Positions count code points. */
final class StringMethods {
    private interface Method {
        Object call(Budget budget, String text, Args args);
    }

    private StringMethods() {}

    /** The method bound to the string, or null if there is none of that name; marked up strings give such again. */
    static Callable find(Object owner, String text, String name) {
        Method method = method(name);
        if (method == null) {
            return null;
        }
        return Callable.named("str." + name, (run, args) -> {
            run.budget().scan(text.length());
            args.positional().forEach(arg -> run.budget().scan(arg instanceof String part ? part.length() : 0));
            Object result = method.call(run.budget(), text, args);
            return owner instanceof Markup && result instanceof String plain ? new Markup(plain) : result;
        });
    }

    private static Method method(String name) {
        return switch (name) {
            case "strip" -> (budget, text, args) -> strip(text, args, true, true);
            case "lstrip" -> (budget, text, args) -> strip(text, args, true, false);
            case "rstrip" -> (budget, text, args) -> strip(text, args, false, true);
            case "split" -> (budget, text, args) -> split(budget, text, args, false);
            case "rsplit" -> (budget, text, args) -> split(budget, text, args, true);
            case "splitlines" ->
                (budget, text, args) -> TextParts.lines(
                        budget, text, args.bind("splitlines", "keepends").flag(0, false));
            case "startswith" -> (budget, text, args) -> affix(budget, text, args, "startswith");
            case "endswith" -> (budget, text, args) -> affix(budget, text, args, "endswith");
            case "removeprefix" ->
                (budget, text, args) -> {
                    String prefix = one(args, "removeprefix");
                    return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
                };
            case "removesuffix" ->
                (budget, text, args) -> {
                    String suffix = one(args, "removesuffix");
                    return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
                };
            case "replace" -> StringMethods::replace;
            case "join" -> StringMethods::join;
            case "format" -> (budget, text, args) -> StrFormat.format(budget, text, args);
            case "format_map" -> (budget, text, args) -> StrFormat.formatMap(budget, text, args);
            case "find", "index", "rfind", "rindex" -> (budget, text, args) -> find(budget, text, args, name);
            case "count" ->
                (budget, text, args) -> {
                    Args.Bound bound = args.bind("count", "sub", "start", "end");
                    String part = Values.needText(bound.need(0), "count()");
                    return TextParts.count(window(text, bound), part);
                };
            case "partition" -> (budget, text, args) -> partition(budget, text, one(args, name), false);
            case "rpartition" -> (budget, text, args) -> partition(budget, text, one(args, name), true);
            default -> caseOrTest(name);
        };
    }

    private static Method caseOrTest(String name) {
        return switch (name) {
            case "upper" -> (budget, text, args) -> Text.upper(plain(text, args));
            case "lower" -> (budget, text, args) -> Text.lower(plain(text, args));
            case "casefold" ->
                (budget, text, args) -> Text.lower(plain(text, args).replace("ß", "ss"));
            case "title" -> (budget, text, args) -> Text.title(plain(text, args));
            case "capitalize" -> (budget, text, args) -> Text.capitalize(plain(text, args));
            case "swapcase" -> (budget, text, args) -> swapCase(plain(text, args));
            case "center", "ljust", "rjust" -> (budget, text, args) -> pad(budget, text, args, name);
            case "zfill" -> StringMethods::zeroFill;
            case "expandtabs" -> StringMethods::expandTabs;
            case "isalpha" -> every(Character::isLetter);
            case "isalnum" -> every(c -> Character.isLetterOrDigit(c) || isNumeric(c));
            case "isdigit" -> every(c -> Character.isDigit(c) || isSuperscriptDigit(c));
            case "isdecimal" -> every(Character::isDigit);
            case "isnumeric" -> every(StringMethods::isNumeric);
            case "isspace" -> every(Text::isSpace);
            case "isupper" -> (budget, text, args) -> inOneCase(text, true);
            case "islower" -> (budget, text, args) -> inOneCase(text, false);
            case "istitle" ->
                (budget, text, args) -> text.codePoints().anyMatch(Text::isCased)
                        && Text.title(text).equals(text);
            case "isascii" -> (budget, text, args) -> text.chars().allMatch(c -> c < 128);
            case "isprintable" -> (budget, text, args) -> text.codePoints().allMatch(PyFormat::isPrintable);
            case "isidentifier" -> (budget, text, args) -> isIdentifier(text);
            default -> null;
        };
    }

    private static String plain(String text, Args args) {
        args.exactly("str method", 0, 0);
        return text;
    }

    private static String one(Args args, String name) {
        return Values.needText(args.exactly(name, 1, 1).getFirst(), name + "()");
    }

    private static Method every(IntPredicate test) {
        return (budget, text, args) -> !text.isEmpty() && text.codePoints().allMatch(test);
    }

    private static boolean isNumeric(int c) {
        int type = Character.getType(c);
        return type == Character.DECIMAL_DIGIT_NUMBER
                || type == Character.LETTER_NUMBER
                || type == Character.OTHER_NUMBER;
    }

    private static boolean isSuperscriptDigit(int c) {
        return c == 0xb2
                || c == 0xb3
                || c == 0xb9
                || c == 0x2070
                || (c >= 0x2074 && c <= 0x2079)
                || (c >= 0x2080 && c <= 0x2089);
    }

    static boolean inOneCase(String text, boolean upper) {
        boolean cased = text.codePoints().anyMatch(Text::isCased);
        return cased
                && text.codePoints()
                        .filter(Text::isCased)
                        .allMatch(upper ? Character::isUpperCase : Character::isLowerCase);
    }

    private static boolean isIdentifier(String text) {
        int[] points = text.codePoints().toArray();
        for (int i = 0; i < points.length; i++) {
            boolean fits = i == 0
                    ? Character.isUnicodeIdentifierStart(points[i])
                    : Character.isUnicodeIdentifierPart(points[i]);
            if (!fits && points[i] != '_') {
                return false;
            }
        }
        return points.length > 0;
    }

    private static Object strip(String text, Args args, boolean left, boolean right) {
        return Text.strip(text, args.bind("strip", "chars").text(0), left, right);
    }

    private static Object split(Budget budget, String text, Args args, boolean fromRight) {
        Args.Bound bound = args.bind("split", "sep", "maxsplit");
        String separator = bound.text(0);
        long limit = bound.integer(1, -1);
        return separator == null
                ? TextParts.words(budget, text, limit, fromRight)
                : TextParts.split(budget, text, separator, limit, fromRight);
    }

    private static Object affix(Budget budget, String text, Args args, String name) {
        Args.Bound bound = args.bind(name, "affix", "start", "end");
        Object wanted = bound.need(0);
        String window = window(text, bound);
        List<?> choices = wanted instanceof Tuple tuple ? tuple.items() : java.util.Collections.singletonList(wanted);
        for (Object choice : choices) {
            budget.step();
            String affix = Values.textOrNull(choice);
            if (affix == null) {
                throw Fault.type(name + " first arg must be str or a tuple of str, not " + Values.typeName(choice));
            }
            if (name.equals("startswith") ? window.startsWith(affix) : window.endsWith(affix)) {
                return true;
            }
        }
        return false;
    }

    /** The part of the text that the arguments start and end (second and third) choose. */
    private static String window(String text, Args.Bound bound) {
        if (bound.get(1, null) == null && bound.get(2, null) == null) {
            return text;
        }
        return (String) Slices.slice(new Budget(), text, bound.get(1, null), bound.get(2, null), null);
    }

    private static Object replace(Budget budget, String text, Args args) {
        Args.Bound bound = args.bind("replace", "old", "new", "count");
        String old = Values.needText(bound.need(0), "replace()");
        String replacement = Values.needText(bound.need(1), "replace()");
        return TextParts.replace(budget, text, old, replacement, bound.integer(2, -1));
    }

    private static Object join(Budget budget, String text, Args args) {
        TextBuilder joined = new TextBuilder(budget);
        Iterator<Object> items =
                Values.iterate(budget, args.exactly("join", 1, 1).getFirst());
        for (int i = 0; items.hasNext(); i++) {
            Object item = items.next();
            String part = Values.textOrNull(item);
            if (part == null) {
                throw Fault.type("sequence item " + i + ": expected str instance, " + Values.typeName(item) + " found");
            }
            joined.append(i == 0 ? "" : text).append(part);
        }
        return joined.toString();
    }

    private static Object find(Budget budget, String text, Args args, String name) {
        Args.Bound bound = args.bind(name, "sub", "start", "end");
        String part = Values.needText(bound.need(0), name + "()");
        String window = window(text, bound);
        int at = name.startsWith("r")
                ? TextParts.lastIndexOf(budget, window, part, window.length())
                : TextParts.indexOf(window, part, 0);
        if (at < 0) {
            if (name.endsWith("index")) {
                throw Fault.value("substring not found");
            }
            return -1L;
        }
        long start = bound.integer(1, 0);
        int length = Text.length(text);
        long offset = start < 0 ? Math.max(0, start + length) : Math.min(start, length);
        return offset + window.codePointCount(0, at);
    }

    private static Object partition(Budget budget, String text, String separator, boolean fromRight) {
        if (separator.isEmpty()) {
            throw Fault.value("empty separator");
        }
        int at = fromRight
                ? TextParts.lastIndexOf(budget, text, separator, text.length())
                : TextParts.indexOf(text, separator, 0);
        if (at < 0) {
            return fromRight ? Tuple.of("", "", text) : Tuple.of(text, "", "");
        }
        return Tuple.of(text.substring(0, at), separator, text.substring(at + separator.length()));
    }

    private static String swapCase(String text) {
        StringBuilder swapped = new StringBuilder();
        text.codePoints()
                .mapToObj(Character::toString)
                .forEach(c -> swapped.append(Character.isUpperCase(c.codePointAt(0)) ? Text.lower(c) : Text.upper(c)));
        return swapped.toString();
    }

    private static Object pad(Budget budget, String text, Args args, String name) {
        List<Object> given = args.exactly(name, 1, 2);
        String fill = given.size() > 1 ? Values.needText(given.get(1), name + "()") : " ";
        if (Text.length(fill) != 1) {
            throw Fault.type("The fill character must be exactly one character long");
        }
        return pad(budget, text, Numbers.index(given.getFirst(), name + "()"), fill, name);
    }

    static String pad(Budget budget, String text, long width, String fill, String name) {
        long missing = Math.max(0, width - Text.length(text));
        long left = switch (name) {
            case "rjust" -> missing;
            // Python puts the odd blank to the left if the width is odd, else to the right.
            case "center" -> missing / 2 + (missing & width & 1);
            default -> 0;
        };
        return TextParts.repeat(budget, fill, left) + text + TextParts.repeat(budget, fill, missing - left);
    }

    private static Object zeroFill(Budget budget, String text, Args args) {
        long width = Numbers.index(args.exactly("zfill", 1, 1).getFirst(), "zfill()");
        boolean signed = text.startsWith("-") || text.startsWith("+");
        String zeros = TextParts.repeat(budget, "0", width - Text.length(text));
        return signed ? text.charAt(0) + zeros + text.substring(1) : zeros + text;
    }

    private static Object expandTabs(Budget budget, String text, Args args) {
        long size = args.bind("expandtabs", "tabsize").integer(0, 8);
        TextBuilder expanded = new TextBuilder(budget);
        long column = 0;
        for (Iterator<Object> it = Text.characters(text); it.hasNext(); ) {
            String c = (String) it.next();
            if (c.equals("\t")) {
                long blanks = size > 0 ? size - column % size : 0;
                expanded.append(TextParts.repeat(budget, " ", blanks));
                column += blanks;
            } else {
                expanded.append(c);
                column = c.equals("\n") || c.equals("\r") ? 0 : column + 1;
            }
        }
        return expanded.toString();
    }
}
