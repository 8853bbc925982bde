package dev.tiller.loader.template;

import dev.tiller.loader.TillerException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Finds the messages of a conversation in its rendered text. The conversation is rendered once more with private marks
 * around the words of each message; the text without the marks must be the text rendered before, so that a template which
 * looks into the words and acts differently is noticed rather than believed.
 */
public final class RoleSpans {
    /** First of the private-use code points that serve as marks: two for each message. */
    private static final int MARKS = 0xF0000;

    private static final int MOST_MESSAGES = 32_000;
    private static final String ASSISTANT = "assistant";

    private final List<Message> messages;
    private final String rendered;
    private final List<RoleSpan> spans = new ArrayList<>();

    private RoleSpans(List<Message> messages, String rendered) {
        this.messages = messages;
        this.rendered = rendered;
    }

    /**
     * The messages' words in the order of the text. A message that the template leaves out or that says nothing has no
     * span; one that is printed twice has two.
     *
     * @param addGenerationPrompt as the text was rendered
     * @param variables as the text was rendered
     * @param now as the text was rendered
     * @param rendered the text
     * @param thinking markers of thoughts: an assistant's words begin after them, since templates take thoughts out of the
     *     words; may be null
     * @throws TillerException if the template changes the words, so that their places are not known
     */
    public static List<RoleSpan> find(
            ChatTemplate template,
            List<Message> messages,
            boolean addGenerationPrompt,
            Map<String, ?> variables,
            LocalDateTime now,
            String rendered,
            ThinkingMarkers thinking) {
        RoleSpans found = new RoleSpans(messages, rendered);
        List<Message> marked = found.marked(thinking);
        String text;
        try {
            text = template.render(marked, null, addGenerationPrompt, variables, now)
                    .text();
        } catch (TemplateException e) {
            throw found.unknown(template, "it refuses the conversation with marks in it: " + e.getMessage());
        }
        if (!found.read(text)) {
            throw found.unknown(template, "it prints messages otherwise than they are given");
        }
        found.spans.sort(Comparator.comparingInt((RoleSpan s) -> s.span().start())
                .thenComparingInt(s -> s.span().end()));
        return List.copyOf(found.spans);
    }

    private TillerException unknown(ChatTemplate template, String why) {
        return new TillerException(
                template.name() + ": chat template: the places of the messages are not known: " + why);
    }

    private List<Message> marked(ThinkingMarkers thinking) {
        if (messages.size() > MOST_MESSAGES) {
            throw new TillerException("a conversation of " + messages.size() + " messages: the places of at most "
                    + MOST_MESSAGES + " can be found");
        }
        List<Message> out = new ArrayList<>();
        for (int i = 0; i < messages.size(); i++) {
            Message m = messages.get(i);
            String content = m.content() == null ? "" : m.content();
            if (content.codePoints().anyMatch(RoleSpans::isMark)) {
                throw new TillerException("message " + (i + 1) + ": has a private-use character of the plane U+F0000;"
                        + " the places of such messages cannot be found");
            }
            int from = 0;
            if (thinking != null && ASSISTANT.equals(m.role())) {
                int end = content.lastIndexOf(thinking.close());
                from = end < 0 ? 0 : end + thinking.close().length();
            }
            String words = content.substring(from);
            String core = Text.strip(words, null, true, true);
            if (core.isEmpty()) {
                out.add(m);
                continue;
            }
            int at = from + words.indexOf(core);
            out.add(new Message(
                    m.role(),
                    content.substring(0, at)
                            + mark(2 * i)
                            + core
                            + mark(2 * i + 1)
                            + content.substring(at + core.length())));
        }
        return out;
    }

    private static boolean isMark(int codePoint) {
        return codePoint >= MARKS && codePoint <= MARKS + 0xFFFF;
    }

    private static String mark(int n) {
        return Character.toString(MARKS + n);
    }

    /** Takes the marks out; false if the rest is another text or a mark has lost its partner. */
    private boolean read(String text) {
        StringBuilder plain = new StringBuilder();
        int open = -1;
        int start = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            if (!isMark(c)) {
                plain.appendCodePoint(c);
                continue;
            }
            int message = (c - MARKS) / 2;
            boolean opens = (c - MARKS) % 2 == 0;
            if (opens == (open >= 0) || !opens && open != message) {
                return false;
            }
            if (opens) {
                start = plain.length();
                open = message;
            } else {
                spans.add(new RoleSpan(message, messages.get(message).role(), new Span(start, plain.length())));
                open = -1;
            }
        }
        return open < 0 && plain.toString().equals(rendered);
    }
}
