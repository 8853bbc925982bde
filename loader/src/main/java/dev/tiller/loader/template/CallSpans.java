package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Widens the span of a tool call, of which only the strings are known, to all that a template prints for it: brackets,
 * numbers, tags around it. To see what that is, the conversation is rendered with the call twice; what is then in the text
 * twice is the call. Where a template takes no second call, the words of a message in place of its only call show it. All
 * these renderings have one bound on their steps; when it is reached, and above {@value #MOST_CALLS} calls, a span reaches
 * from the call's first string to its last.
 */
final class CallSpans {
    /** More calls than this are left as their strings: each one needs renderings of the whole conversation. */
    private static final int MOST_CALLS = 300;

    /**
     * Steps of all these renderings together: otherwise a template that is slow on purpose takes minutes. For so many calls
     * with results of 4 KB most real templates need 20 to 60 million; a few look through all messages for each of them, and
     * reach the bound after about half of the calls.
     */
    static final long MOST_STEPS = 10 * Budget.MAX_STEPS;

    /** Stands for words; no template knows it and nothing in a text is the same. */
    private static final String MARK = Character.toString(0xF0000);

    private static final String OPENING = "<[{(";
    private static final String CLOSING = ">]})`";

    private final RoleSpans.Rendering rendering;
    private final String rendered;
    private long stepsLeft;

    /** @param steps of all renderings together; the call at which they are used up and those after it stay their strings */
    CallSpans(RoleSpans.Rendering rendering, String rendered, long steps) {
        stepsLeft = steps;
        this.rendering = rendering;
        this.rendered = rendered;
    }

    /**
     * The spans, those of calls as wide as they are; never into the span before or after.
     *
     * @param found spans in the order of the text
     */
    List<RoleSpan> whole(List<MarkedMessages.Found> found) {
        long calls = found.stream().filter(f -> f.call() >= 0).count();
        List<RoleSpan> out = new ArrayList<>();
        for (int i = 0; i < found.size(); i++) {
            RoleSpan span = found.get(i).span();
            if (found.get(i).call() >= 0 && calls <= MOST_CALLS) {
                int from = out.isEmpty() ? 0 : out.getLast().span().end();
                int to = i + 1 < found.size() ? found.get(i + 1).span().span().start() : rendered.length();
                span = widened(span, found.get(i).call(), from, to);
            }
            out.add(span);
        }
        return List.copyOf(out);
    }

    private RoleSpan widened(RoleSpan strings, int call, int from, int to) {
        int last = strings.message() + 1;
        Span whole = whole(strings, call, rendering.messages().subList(0, last)); // results may count the calls
        if (whole == null && last < rendering.messages().size()) {
            whole = whole(strings, call, rendering.messages());
        }
        if (whole == null) {
            return strings;
        }
        int start = Math.min(strings.span().start(), Math.max(from, whole.start()));
        int end = Math.max(strings.span().end(), Math.min(to, whole.end()));
        return new RoleSpan(strings.message(), strings.role(), new Span(start, end));
    }

    private Span whole(RoleSpan strings, int call, List<?> messages) {
        Map<?, ?> message = (Map<?, ?>) TemplateValues.of(messages.get(strings.message()));
        List<?> calls = (List<?>) message.get("tool_calls");
        Object alone = calls.get(call);
        String once = with(messages, strings.message(), m -> put(m, "tool_calls", List.of(alone)));
        if (once == null) {
            return null;
        }
        String twice = with(messages, strings.message(), m -> put(m, "tool_calls", List.of(alone, alone)));
        if (twice != null && twice.length() > once.length()) {
            return place(strings.span(), once, repeated(once, twice));
        }
        String words = calls.size() > 1 ? null : with(messages, strings.message(), CallSpans::said);
        return words == null ? null : place(strings.span(), once, different(once, words));
    }

    /** Where in the text the part of another text is that holds the strings of the call; null if it is not there. */
    private Span place(Span strings, String text, Span part) {
        if (part.end() <= part.start()) {
            return null;
        }
        String call = text.substring(part.start(), part.end());
        int at = rendered.indexOf(call, Math.max(0, strings.end() - call.length()));
        if (at < 0 || at > strings.start()) {
            at = strings.start() - call.indexOf(rendered.substring(strings.start(), strings.end()));
            if (at > strings.start() || !isNumbered(call, at)) {
                return null;
            }
        }
        return new Span(at, at + call.length());
    }

    /** Whether the call stands there but for the digits: some templates count calls. */
    private boolean isNumbered(String call, int at) {
        if (at < 0 || at + call.length() > rendered.length()) {
            return false;
        }
        return commonEnd(rendered.substring(at, at + call.length()), call, true) == call.length();
    }

    /** What of a text is in the longer one twice, one after the other; without white space at its ends. */
    private static Span repeated(String once, String twice) {
        int added = twice.length() - once.length();
        int end = common(once, twice);
        int start = once.length() - commonEnd(once, twice, true);
        int last = end - added;
        if (start < last) { // what stands around the call begins or ends as it does: several places are possible
            int at = start;
            while (at <= last && !isBracketed(stripped(once, at, at + added), once)) {
                at++;
            }
            start = at <= last ? at : start;
            end = start + added;
        }
        return stripped(once, start, end);
    }

    private static boolean isBracketed(Span span, String text) {
        return span.start() < span.end()
                && OPENING.indexOf(text.charAt(span.start())) >= 0
                && CLOSING.indexOf(text.charAt(span.end() - 1)) >= 0;
    }

    /** What of a text stands where the other one has the mark. */
    private static Span different(String text, String marked) {
        return stripped(text, common(text, marked), text.length() - commonEnd(text, marked, false));
    }

    private static Span stripped(String text, int start, int end) {
        int from = start;
        int to = end;
        while (from < to && Character.isWhitespace(text.charAt(from))) {
            from++;
        }
        while (to > from && Character.isWhitespace(text.charAt(to - 1))) {
            to--;
        }
        return new Span(from, to);
    }

    /** How much of their beginnings two texts share. */
    private static int common(String a, String b) {
        int most = Math.min(a.length(), b.length());
        int at = 0;
        while (at < most && a.charAt(at) == b.charAt(at)) {
            at++;
        }
        return at;
    }

    /**
     * How much of their ends two texts share.
     *
     * @param numbers whether one digit is as good as another: some templates count the calls
     */
    private static int commonEnd(String a, String b, boolean numbers) {
        int most = Math.min(a.length(), b.length());
        int at = 0;
        while (at < most) {
            char left = a.charAt(a.length() - 1 - at);
            char right = b.charAt(b.length() - 1 - at);
            if (left != right && !(numbers && Character.isDigit(left) && Character.isDigit(right))) {
                return at;
            }
            at++;
        }
        return at;
    }

    private static Map<Object, Object> put(Map<Object, Object> message, String key, Object value) {
        message.put(key, value);
        return message;
    }

    /** The message with words behind its own in place of its calls. */
    private static Map<Object, Object> said(Map<Object, Object> message) {
        message.remove("tool_calls");
        return put(message, "content", message.get("content") instanceof String text ? text + MARK : MARK);
    }

    /** The text with another message in the place of one; null if the template refuses that. */
    private String with(List<?> messages, int message, UnaryOperator<Map<Object, Object>> change) {
        if (stepsLeft <= 0) {
            return null;
        }
        List<Object> others = new ArrayList<>(messages);
        Map<Object, Object> changed = new LinkedHashMap<>((Map<?, ?>) TemplateValues.of(messages.get(message)));
        others.set(message, change.apply(changed));
        Budget budget = new Budget();
        try {
            return rendering.with(others, false).chat(budget).text();
        } catch (TemplateException e) {
            return null;
        } finally {
            stepsLeft -= budget.used();
        }
    }
}
