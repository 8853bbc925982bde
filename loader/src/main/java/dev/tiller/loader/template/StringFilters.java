package dev.tiller.loader.template;

import dev.tiller.loader.template.Filters.Filter;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters that give text. Values that are no strings are printed first, as Jinja does. */
final class StringFilters {
    private StringFilters() {}

    static Map<String, Filter> all() {
        Map<String, Filter> all = new HashMap<>();
        Filters.plain(all, "upper", each(Text::upper));
        Filters.plain(all, "lower", each(Text::lower));
        Filters.plain(all, "capitalize", each(Text::capitalize));
        Filters.plain(all, "string", each(text -> text));
        Filters.plain(all, "title", (run, value, args) -> title(run.budget(), PyFormat.str(run.budget(), value)));
        all.put("trim", StringFilters::trim);
        all.put("replace", StringFilters::replace);
        all.put("indent", StringFilters::indent);
        all.put("center", StringFilters::center);
        all.put("truncate", StringFilters::truncate);
        Filters.plain(
                all, "wordcount", (run, value, args) -> wordCount(run.budget(), PyFormat.str(run.budget(), value)));
        all.put("format", StringFilters::format);
        Filters.plain(all, "safe", (run, value, args) -> new Markup(PyFormat.str(run.budget(), value)));
        Filters.plain(all, "escape", StringFilters::escape);
        Filters.plain(all, "e", StringFilters::escape);
        Filters.plain(all, "forceescape", (run, value, args) -> escaped(run, PyFormat.str(run.budget(), value)));
        Filters.plain(all, "urlencode", StringFilters::urlEncode);
        return all;
    }

    private static Filter each(UnaryOperator<String> change) {
        return (run, value, args) -> {
            String text = PyFormat.str(run.budget(), value);
            run.budget().text(text.length());
            return like(value, change.apply(text));
        };
    }

    /** A marked up string stays one. */
    private static Object like(Object value, String text) {
        return value instanceof Markup ? new Markup(text) : text;
    }

    /** Words begin after white space, a hyphen or an opening bracket. */
    private static String title(Budget budget, String text) {
        budget.text(text.length());
        StringBuilder result = new StringBuilder();
        boolean start = true;
        for (Iterator<Object> it = Text.characters(text); it.hasNext(); ) {
            String c = (String) it.next();
            result.append(start ? Text.upper(c) : Text.lower(c));
            start = Text.isSpace(c.codePointAt(0)) || "-({[<".contains(c);
        }
        return result.toString();
    }

    private static Object trim(Interpreter run, Object value, Args args) {
        String chars = args.bind("trim", "chars").text(0);
        return like(value, Text.strip(PyFormat.str(run.budget(), value), chars, true, true));
    }

    private static Object replace(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("replace", "old", "new", "count");
        String text = PyFormat.str(run.budget(), value);
        String old = PyFormat.str(run.budget(), bound.need(0));
        String replacement = PyFormat.str(run.budget(), bound.need(1));
        long count = bound.get(2, null) == null ? -1 : bound.integer(2, -1);
        return TextParts.replace(run.budget(), text, old, replacement, count);
    }

    private static Object indent(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("indent", "width", "first", "blank");
        String text = Values.needText(value, "indent()");
        Object width = bound.get(0, 4L);
        String margin = Values.textOrNull(width);
        if (margin == null) {
            margin = TextParts.repeat(run.budget(), " ", Numbers.index(width, "indent()"));
        }
        boolean blank = bound.flag(2, false);
        TextBuilder out = new TextBuilder(run.budget());
        List<Object> lines = TextParts.lines(run.budget(), text + "\n", false);
        for (int i = 0; i < lines.size(); i++) {
            boolean wanted =
                    i == 0 ? bound.flag(1, false) : blank || !lines.get(i).equals("");
            out.append(i == 0 ? "" : "\n").append(wanted ? margin : "").append((String) lines.get(i));
        }
        return like(value, out.toString());
    }

    private static Object center(Interpreter run, Object value, Args args) {
        long width = args.bind("center", "width").integer(0, 80);
        return like(value, StringMethods.pad(run.budget(), PyFormat.str(run.budget(), value), width, " ", "center"));
    }

    private static Object truncate(Interpreter run, Object value, Args args) {
        Args.Bound bound = args.bind("truncate", "length", "killwords", "end", "leeway");
        String end = bound.has(2) ? Values.needText(bound.need(2), "truncate()") : "...";
        long length = bound.integer(0, 255);
        long leeway = bound.get(3, null) == null ? 5 : bound.integer(3, 5);
        if (length < Text.length(end) || leeway < 0) {
            throw Fault.value("truncate() needs a length of at least " + Text.length(end) + " and no negative leeway");
        }
        if (Values.length(run.budget(), value) <= length + leeway) {
            return value;
        }
        String text = Values.needText(value, "truncate()");
        String kept = text.substring(0, Text.offset(text, (int) length - Text.length(end)));
        int space = kept.lastIndexOf(' ');
        return like(value, (bound.flag(1, false) || space < 0 ? kept : kept.substring(0, space)) + end);
    }

    private static long wordCount(Budget budget, String text) {
        long count = 0;
        boolean inWord = false;
        for (Iterator<Object> it = Values.iterate(budget, text); it.hasNext(); ) {
            int c = ((String) it.next()).codePointAt(0);
            boolean word = Character.isLetterOrDigit(c) || c == '_';
            count += word && !inWord ? 1 : 0;
            inWord = word;
        }
        return count;
    }

    private static Object format(Interpreter run, Object value, Args args) {
        if (!args.positional().isEmpty() && !args.keywords().isEmpty()) {
            throw Fault.value("can't handle positional and keyword arguments at the same time");
        }
        Object values = args.keywords().isEmpty() ? new Tuple(args.positional()) : args.keywords();
        return Operators.binary(run.budget(), "%", like(value, PyFormat.str(run.budget(), value)), values);
    }

    private static Object escape(Interpreter run, Object value, Args args) {
        return value instanceof Markup ? value : escaped(run, PyFormat.str(run.budget(), value));
    }

    private static Markup escaped(Interpreter run, String text) {
        run.budget().text(5L * text.length());
        return new Markup(Markup.escape(text));
    }

    private static Object urlEncode(Interpreter run, Object value, Args args) {
        boolean single = Values.textOrNull(value) != null || !Values.iterable(value);
        if (single) {
            return quoted(run, value, "/");
        }
        TextBuilder out = new TextBuilder(run.budget());
        Object pairs = value instanceof Map<?, ?> map ? new DictView(DictView.Part.ITEMS, map) : value;
        for (Iterator<Object> it = Values.iterate(run.budget(), pairs); it.hasNext(); ) {
            List<Object> pair = Values.list(run.budget(), it.next());
            if (pair.size() != 2) {
                throw Fault.value("urlencode() needs pairs");
            }
            out.append(out.length() == 0 ? "" : "&");
            out.append(quoted(run, pair.get(0), "").replace("%20", "+"));
            out.append("=");
            out.append(quoted(run, pair.get(1), "").replace("%20", "+"));
        }
        return out.toString();
    }

    private static String quoted(Interpreter run, Object value, String unquoted) {
        TextBuilder out = new TextBuilder(run.budget());
        for (byte b : PyFormat.str(run.budget(), value).getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean plain =
                    c < 128 && (Character.isLetterOrDigit(c) || "_.-~".indexOf(c) >= 0 || unquoted.indexOf(c) >= 0);
            out.append(plain ? String.valueOf(c) : Text.upper(PyFormat.hex("%", c, 2)));
        }
        return out.toString();
    }
}
