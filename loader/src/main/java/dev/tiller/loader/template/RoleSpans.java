package dev.tiller.loader.template;

import dev.tiller.loader.TillerException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds the messages of a conversation in its rendered text. The conversation is rendered once more with private marks
 * around the words of each message; the text without the marks must be the text rendered before, so that a template which
 * looks into the words and acts differently is noticed rather than believed.
 */
public final class RoleSpans {
    /** The role of spans that hold thoughts of the assistant. */
    public static final String THINKING = "thinking";

    /** More strings than this are not tried one by one. */
    private static final int MOST_TRIES = 1000;

    /**
     * How the text was rendered.
     *
     * @param messages {@link Message}s, maps or JSON objects
     * @param tools null if there are none
     * @param now what {@code strftime_now} showed
     */
    public record Rendering(
            ChatTemplate template,
            List<?> messages,
            List<?> tools,
            boolean addGenerationPrompt,
            Map<String, ?> variables,
            LocalDateTime now) {
        /** The same with other messages. */
        Rendering with(List<?> others, boolean generationPrompt) {
            return new Rendering(template, others, tools, generationPrompt, variables, now);
        }

        RenderedChat chat() {
            return chat(new Budget());
        }

        RenderedChat chat(Budget budget) {
            return template.render(messages, tools, addGenerationPrompt, variables, now, budget);
        }
    }

    private final Rendering rendering;
    private final String rendered;
    private final MarkedMessages marked;

    private RoleSpans(Rendering rendering, String rendered, MarkedMessages marked) {
        this.rendering = rendering;
        this.rendered = rendered;
        this.marked = marked;
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
        Rendering rendering = new Rendering(template, messages, null, addGenerationPrompt, variables, now);
        RoleSpans found = new RoleSpans(rendering, rendered, MarkedMessages.wordsOf(messages, thinking));
        return found.together().stream().map(MarkedMessages.Found::span).toList();
    }

    /**
     * Words, thoughts and tool calls in the order of the text. Words (of strings or of text parts) have the role of their
     * message. Thoughts, between the markers in an assistant's words or under {@code reasoning_content}, {@code reasoning} or
     * {@code thinking}, have the role {@value #THINKING}. A tool call has the role of its message and one span, with all that
     * the template prints for it ({@link CallSpans}); in very long conversations, and where the template is very slow, it
     * goes from the call's first string to its last. Thoughts and calls that the template prints in another form than they are
     * given have none.
     *
     * @param rendering how the text was rendered
     * @param rendered the text
     * @param thinking markers of thoughts; may be null
     * @throws TillerException if the template changes the words, so that their places are not known
     */
    public static List<RoleSpan> all(Rendering rendering, String rendered, ThinkingMarkers thinking) {
        return all(rendering, rendered, thinking, CallSpans.MOST_STEPS);
    }

    static List<RoleSpan> all(Rendering rendering, String rendered, ThinkingMarkers thinking, long callSteps) {
        RoleSpans spans = new RoleSpans(rendering, rendered, MarkedMessages.allOf(rendering.messages(), thinking));
        List<MarkedMessages.Found> found;
        try {
            found = spans.together();
        } catch (TillerException e) {
            found = spans.oneByOne(e);
        }
        return new CallSpans(rendering, rendered, callSteps).whole(found);
    }

    private List<MarkedMessages.Found> together() {
        return inOrder(spans(marked.all()));
    }

    /** Where a template minds the marks around some of the strings, it may yet take those around the others. */
    private List<MarkedMessages.Found> oneByOne(TillerException reason) {
        if (marked.count() > MOST_TRIES) {
            throw reason;
        }
        List<MarkedMessages.Found> spans = new ArrayList<>();
        for (int i = 0; i < marked.count(); i++) {
            try {
                spans.addAll(spans(marked.only(i)));
            } catch (TillerException e) {
                if (marked.isWords(i)) {
                    throw e;
                }
            }
        }
        return inOrder(spans);
    }

    /** In the order of the text, the strings of a tool call in one: as they come first, since results repeat names. */
    private static List<MarkedMessages.Found> inOrder(List<MarkedMessages.Found> spans) {
        List<MarkedMessages.Found> sorted = new ArrayList<>(spans);
        sorted.sort(Comparator.comparingInt(
                        (MarkedMessages.Found s) -> s.span().span().start())
                .thenComparingInt(s -> s.span().span().end()));
        List<MarkedMessages.Found> out = new ArrayList<>();
        Set<Integer> called = new HashSet<>();
        for (MarkedMessages.Found span : sorted) {
            if (span.call() >= 0 && !called.add(span.number())) {
                continue;
            }
            boolean continues = !out.isEmpty() && span.continues(out.getLast());
            out.add(continues ? span.from(out.removeLast()) : span);
        }
        return out;
    }

    private List<MarkedMessages.Found> spans(List<Object> messages) {
        String text;
        try {
            text = rendering
                    .with(messages, rendering.addGenerationPrompt())
                    .chat()
                    .text();
        } catch (TemplateException e) {
            throw unknown("it refuses the conversation with marks in it: " + e.getMessage());
        }
        List<MarkedMessages.Found> spans = marked.read(text, rendered);
        if (spans == null) {
            throw unknown("it prints messages otherwise than they are given");
        }
        return spans;
    }

    private TillerException unknown(String why) {
        return new TillerException(
                rendering.template().name() + ": chat template: the places of the messages are not known: " + why);
    }
}
