package dev.tiller.loader.template;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A conversation whose strings carry private marks, two characters for each, so that they are found again in the rendered
 * text. Marks stand inside the white space around a string, which templates may strip.
 */
final class MarkedMessages {
    /** First of the private-use code points that serve as marks. */
    private static final int MARKS = 0xF0000;

    private static final int MOST_PLACES = 32_000;
    private static final String ASSISTANT = "assistant";
    private static final List<String> THOUGHTS = List.of("reasoning_content", "reasoning", "thinking");

    /**
     * What a pair of marks stands around.
     *
     * @param call which of the message's tool calls, from 0; -1 for others. The strings of a call become one span
     * @param words whether it is what a message says, not a thought or a tool call
     */
    private record Place(int message, String role, int call, boolean words) {}

    /**
     * A span.
     *
     * @param call which of the message's tool calls it is, or -1
     * @param number of the string in the conversation
     */
    record Found(RoleSpan span, int call, int number) {
        /** Whether both are of the same tool call. */
        boolean continues(Found earlier) {
            return call >= 0 && earlier.call == call && earlier.span.message() == span.message();
        }

        Found from(Found earlier) {
            Span joined = new Span(earlier.span.span().start(), span.span().end());
            return new Found(new RoleSpan(span.message(), span.role(), joined), call, number);
        }
    }

    private static final int ALL = -1;

    private final List<Object> messages;
    private final ThinkingMarkers thinking;
    private final boolean onlyWords;
    private final List<Place> places = new ArrayList<>();
    private final int count;

    /** The one string to mark, or {@link #ALL}. */
    private int only = ALL;

    private int message;

    private MarkedMessages(List<?> messages, ThinkingMarkers thinking, boolean onlyWords) {
        this.messages = new ArrayList<>();
        messages.forEach(m -> this.messages.add(TemplateValues.of(m)));
        this.thinking = thinking;
        this.onlyWords = onlyWords;
        all();
        this.count = places.size();
    }

    /** Marks what the messages say. */
    static MarkedMessages wordsOf(List<?> messages, ThinkingMarkers thinking) {
        return new MarkedMessages(messages, thinking, true);
    }

    /** Marks also thoughts and tool calls. */
    static MarkedMessages allOf(List<?> messages, ThinkingMarkers thinking) {
        return new MarkedMessages(messages, thinking, false);
    }

    /** How many strings there are to mark. */
    int count() {
        return count;
    }

    /** True if string number i is what a message says. */
    boolean isWords(int i) {
        return places.get(i).words;
    }

    /** The messages with all marks. */
    List<Object> all() {
        only = ALL;
        return marked();
    }

    /** The messages with marks around string number i. */
    List<Object> only(int i) {
        only = i;
        return marked();
    }

    // ---- setting marks ----

    private List<Object> marked() {
        places.clear();
        List<Object> out = new ArrayList<>();
        for (message = 0; message < messages.size(); message++) {
            out.add(messages.get(message) instanceof Map<?, ?> map ? message(map) : messages.get(message));
        }
        return out;
    }

    private Map<Object, Object> message(Map<?, ?> from) {
        String role = from.get("role") instanceof String name ? name : "";
        Map<Object, Object> out = new LinkedHashMap<>();
        from.forEach((key, value) -> {
            Object marked = value;
            if ("content".equals(key)) {
                marked = content(value, role);
            } else if (!onlyWords && THOUGHTS.contains(key) && value instanceof String text) {
                marked = mark(text, 0, text.length(), new Place(message, RoleSpans.THINKING, -1, false));
            } else if (!onlyWords && "tool_calls".equals(key) && value instanceof List<?> calls) {
                List<Object> markedCalls = new ArrayList<>();
                calls.forEach(c -> markedCalls.add(call(c, new Place(message, role, markedCalls.size(), false))));
                marked = markedCalls;
            }
            out.put(key, marked);
        });
        return out;
    }

    /** Unlike a stream's list this one takes nulls. */
    private static List<Object> map(List<?> list, UnaryOperator<Object> each) {
        List<Object> out = new ArrayList<>();
        list.forEach(v -> out.add(each.apply(v)));
        return out;
    }

    private Object content(Object value, String role) {
        if (value instanceof String text) {
            return words(text, role);
        }
        return value instanceof List<?> parts ? map(parts, p -> part(p, role)) : value;
    }

    private Object part(Object part, String role) {
        if (part instanceof String text) {
            return words(text, role);
        }
        if (!(part instanceof Map<?, ?> map) || !(map.get("text") instanceof String text)) {
            return part;
        }
        Map<Object, Object> out = new LinkedHashMap<>(map);
        out.put("text", words(text, role));
        return out;
    }

    /** A string that a message says; of an assistant's, its thoughts apart. */
    private String words(String text, String role) {
        StringBuilder out = new StringBuilder();
        int at = 0;
        while (thinking != null && ASSISTANT.equals(role)) {
            int close = text.indexOf(thinking.close(), at);
            if (close < 0) {
                break;
            }
            int open = text.indexOf(thinking.open(), at);
            int from = open < 0 || open > close ? at : open + thinking.open().length();
            int next = close + thinking.close().length();
            Place place = new Place(message, RoleSpans.THINKING, -1, false);
            out.append(text, at, from)
                    .append(onlyWords ? text.substring(from, close) : mark(text, from, close, place))
                    .append(text, close, next);
            at = next;
        }
        return out.append(mark(text, at, text.length(), new Place(message, role, -1, true)))
                .toString();
    }

    private Object call(Object call, Place place) {
        if (!(call instanceof Map<?, ?> map) || !(map.get("function") instanceof Map<?, ?> function)) {
            return function(call, place);
        }
        Map<Object, Object> out = new LinkedHashMap<>(map);
        out.put("function", function(function, place));
        return out;
    }

    private Object function(Object function, Place place) {
        if (!(function instanceof Map<?, ?> map)) {
            return function;
        }
        Map<Object, Object> out = new LinkedHashMap<>(map);
        out.computeIfPresent("name", (key, name) -> strings(name, place));
        out.computeIfPresent("arguments", (key, arguments) -> strings(arguments, place));
        return out;
    }

    private Object strings(Object value, Place place) {
        if (value instanceof String text) {
            return mark(text, 0, text.length(), place);
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> out = new LinkedHashMap<>();
            map.forEach((key, v) -> out.put(key, strings(v, place)));
            return out;
        }
        return value instanceof List<?> list ? map(list, v -> strings(v, place)) : value;
    }

    /** Part from..to of a text with marks around it. */
    private String mark(String text, int from, int to, Place place) {
        String part = text.substring(from, to);
        String core = Text.strip(part, null, true, true);
        if (core.isEmpty()) {
            return part;
        }
        if (part.codePoints().anyMatch(MarkedMessages::isMark)) {
            throw new TillerException(
                    "message " + (place.message + 1) + ": has a private-use character of the plane U+F0000;"
                            + " the places of such messages cannot be found");
        }
        int number = places.size();
        if (number == MOST_PLACES) {
            throw new TillerException(
                    "a conversation of more than " + MOST_PLACES + " texts: the places of such cannot be found");
        }
        places.add(place);
        if (only != ALL && only != number) {
            return part;
        }
        int at = part.indexOf(core);
        return part.substring(0, at)
                + Character.toString(MARKS + 2 * number)
                + core
                + Character.toString(MARKS + 2 * number + 1)
                + part.substring(at + core.length());
    }

    private static boolean isMark(int codePoint) {
        return codePoint >= MARKS && codePoint <= MARKS + 0xFFFF;
    }

    // ---- finding them ----

    /**
     * What lies between the marks of a text that was rendered from these messages, in places of the same text without them.
     *
     * @return null if the text without marks is not {@code rendered}, or if a mark has lost its partner
     */
    List<Found> read(String text, String rendered) {
        StringBuilder plain = new StringBuilder();
        List<Found> spans = new ArrayList<>();
        int open = -1;
        int start = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            if (!isMark(c)) {
                plain.appendCodePoint(c);
                continue;
            }
            int number = (c - MARKS) / 2;
            boolean opens = (c - MARKS) % 2 == 0;
            if (opens == (open >= 0) || !opens && open != number || number >= places.size()) {
                return null;
            }
            if (opens) {
                start = plain.length();
                open = number;
            } else {
                Place place = places.get(number);
                Span span = new Span(start, plain.length());
                spans.add(new Found(new RoleSpan(place.message, place.role, span), place.call, number));
                open = -1;
            }
        }
        return open < 0 && plain.toString().equals(rendered) ? spans : null;
    }
}
