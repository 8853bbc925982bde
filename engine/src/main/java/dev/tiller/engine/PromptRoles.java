package dev.tiller.engine;

import dev.tiller.loader.template.RoleSpan;
import dev.tiller.loader.template.ThinkingMarkers;
import dev.tiller.loader.tokenizer.Encoding;
import java.util.List;

/** Who speaks at each position of a prompt that a chat template has rendered. A token that reaches into words belongs to them. */
final class PromptRoles {
    /** [T] bit r is set where the role with ordinal r speaks. */
    private final byte[] roles;

    private final ThinkingMarkers markers;
    private final boolean thinkingAtEnd;

    private PromptRoles(byte[] roles, ThinkingMarkers markers, boolean thinkingAtEnd) {
        this.roles = roles;
        this.markers = markers;
        this.thinkingAtEnd = thinkingAtEnd;
    }

    /**
     * @param text the rendered conversation, ready for the assistant's answer
     * @param tokens of the text
     * @param spans words of the messages, in the order of the text
     * @param markers of thoughts; null if the template has none
     */
    static PromptRoles of(String text, Encoding tokens, List<RoleSpan> spans, ThinkingMarkers markers) {
        return new Finder(text, tokens, markers).find(spans);
    }

    /** True if that role speaks there. */
    boolean has(Role role, int position) {
        return position < roles.length && (roles[position] >>> role.ordinal() & 1) != 0;
    }

    /** Positions T of the prompt. */
    int length() {
        return roles.length;
    }

    /** Null if the template has no markers of thoughts. */
    ThinkingMarkers markers() {
        return markers;
    }

    /** True if the prompt ends inside thoughts. */
    boolean thinkingAtEnd() {
        return thinkingAtEnd;
    }

    private static final class Finder {
        private final String text;
        private final Encoding tokens;
        private final ThinkingMarkers markers;
        private final byte[] roles;
        private boolean thinking;

        Finder(String text, Encoding tokens, ThinkingMarkers markers) {
            this.text = text;
            this.tokens = tokens;
            this.markers = markers;
            this.roles = new byte[tokens.ids().length];
        }

        PromptRoles find(List<RoleSpan> spans) {
            int before = 0;
            for (RoleSpan s : spans) {
                Role role = Role.ofMessage(s.role());
                int start = s.span().start();
                int end = s.span().end();
                thinking = false;
                if (role == Role.ASSISTANT) {
                    int thoughts = thoughts(before, end);
                    answer(thoughts < 0 ? start : Math.min(start, thoughts), end);
                } else if (role != null) {
                    words(role, start, end);
                }
                before = Math.max(before, end);
            }
            thinking = false;
            thoughts(before, text.length()); // the head of the answer to come
            return new PromptRoles(roles, markers, thinking);
        }

        /** Marks the thoughts printed in a part of the text. Returns where the first begins with its marker, or -1. */
        private int thoughts(int from, int to) {
            if (markers == null) {
                return -1;
            }
            int first = -1;
            int at = text.indexOf(markers.open(), from);
            while (at >= 0 && at + markers.open().length() <= to) {
                first = first < 0 ? at : first;
                int begin = at + markers.open().length();
                int close = text.indexOf(markers.close(), begin);
                int end = close < 0 || close + markers.close().length() > to
                        ? -1
                        : close + markers.close().length();
                thinking = end < 0;
                inside(begin, thinking ? to + 1 : end);
                at = thinking ? -1 : text.indexOf(markers.open(), end);
            }
            return first;
        }

        /** Marks tokens after which the text is inside thoughts: their ends lie in begin..end-1. */
        private void inside(int begin, int end) {
            int from = codePoints(begin);
            int to = end > text.length() ? Integer.MAX_VALUE : codePoints(end);
            for (int t = 0; t < roles.length; t++) {
                if (tokens.ends()[t] >= from && tokens.ends()[t] < to) {
                    roles[t] |= bit(Role.THINKING);
                }
            }
        }

        private void words(Role role, int start, int end) {
            int to = codePoints(end);
            for (int t = first(start); t < roles.length && tokens.starts()[t] < to; t++) {
                roles[t] |= bit(role);
            }
        }

        private void answer(int start, int end) {
            int first = first(start);
            if (first > 0 && first < roles.length) {
                roles[first - 1] |= bit(Role.ASSISTANT);
            }
            words(Role.ASSISTANT, start, end);
        }

        /** The first token that reaches beyond that char. */
        private int first(int start) {
            int from = codePoints(start);
            int t = 0;
            while (t < roles.length && tokens.ends()[t] <= from) {
                t++;
            }
            return t;
        }

        private int codePoints(int chars) {
            return text.codePointCount(0, chars);
        }

        private static byte bit(Role role) {
            return (byte) (1 << role.ordinal());
        }
    }
}
