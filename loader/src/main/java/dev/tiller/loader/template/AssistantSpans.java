package dev.tiller.loader.template;

import java.util.ArrayList;
import java.util.List;

/**
 * What of a rendered conversation an assistant has written, which is what training on it should learn: its thoughts, words
 * and tool calls, the template's text between them, and what ends its turn.
 */
public final class AssistantSpans {
    private static final String ASSISTANT = "assistant";

    private AssistantSpans() {}

    /**
     * The assistant's turns in the order of the text.
     *
     * <p>Where the template has {@code {% generation %}} blocks, they are the answer. Otherwise a turn begins where the
     * prompt for it ends and ends where the conversation up to it ends, without white space behind; where the template
     * prints that beginning otherwise in a longer conversation, it is from the first to the last of the message's own texts
     * ({@link RoleSpans#all}), with the marker before a thought and the {@code eos_token} that follows.
     *
     * @param rendering how the text was rendered
     * @param chat the text
     * @param thinking markers of thoughts; may be null
     */
    public static List<Span> find(RoleSpans.Rendering rendering, RenderedChat chat, ThinkingMarkers thinking) {
        if (!chat.generationSpans().isEmpty()) {
            return chat.generationSpans();
        }
        List<RoleSpan> own = RoleSpans.all(rendering, chat.text(), thinking);
        List<Span> turns = new ArrayList<>();
        for (int k = 0; k < rendering.messages().size(); k++) {
            int message = k;
            List<Span> texts = own.stream()
                    .filter(s -> s.message() == message)
                    .filter(s -> s.role().equals(ASSISTANT) || s.role().equals(RoleSpans.THINKING))
                    .map(RoleSpan::span)
                    .toList();
            if (!texts.isEmpty()) {
                turns.add(turn(rendering, chat.text(), k, texts, thinking));
            }
        }
        return List.copyOf(turns);
    }

    private static Span turn(
            RoleSpans.Rendering rendering, String text, int message, List<Span> texts, ThinkingMarkers thinking) {
        int first = texts.getFirst().start();
        int last = texts.getLast().end();
        int start = common(rendering, text, message, true);
        int end = common(rendering, text, message + 1, false);
        if (start < 0 || start > first) {
            String before = text.substring(0, first).stripTrailing();
            boolean opens = thinking != null && before.endsWith(thinking.open());
            start = opens ? before.length() - thinking.open().length() : first;
        }
        if (end < last) {
            String eos = rendering.variables().get("eos_token") instanceof String token ? token : "";
            end = text.startsWith(eos, last) ? last + eos.length() : last;
        }
        while (end > last && Character.isWhitespace(text.charAt(end - 1))) {
            end--;
        }
        return new Span(start, end);
    }

    /** Length of the text of the first so many messages if the whole text begins with it; -1 if not. */
    private static int common(RoleSpans.Rendering rendering, String text, int messages, boolean generationPrompt) {
        try {
            String part = rendering
                    .with(rendering.messages().subList(0, messages), generationPrompt)
                    .chat()
                    .text();
            return text.startsWith(part) ? part.length() : -1;
        } catch (TemplateException e) {
            return -1;
        }
    }
}
