package dev.tiller.loader.template;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What stands before and after an assistant's thoughts.
 *
 * @param open printed before the first thought
 * @param close printed after the last one
 */
public record ThinkingMarkers(String open, String close) {
    /** The pairs that model families use. */
    private static final List<ThinkingMarkers> KNOWN = List.of(
            new ThinkingMarkers("<think>", "</think>"),
            new ThinkingMarkers("<thinking>", "</thinking>"),
            new ThinkingMarkers("<seed:think>", "</seed:think>"),
            new ThinkingMarkers("[THINK]", "[/THINK]"),
            new ThinkingMarkers("<|START_THINKING|>", "<|END_THINKING|>"),
            new ThinkingMarkers("<|inner_prefix|>", "<|inner_suffix|>"),
            new ThinkingMarkers("<|channel>thought", "<channel|>"),
            new ThinkingMarkers("<|channel|>analysis<|message|>", "<|end|>"));

    /**
     * The first known pair of which the text of a chat template holds both; or else, since a template that only takes thoughts
     * out of earlier answers need not name where they begin, the first whose close it holds and can mean nothing else.
     */
    public static Optional<ThinkingMarkers> of(String templateSource) {
        return KNOWN.stream()
                .filter(m -> templateSource.contains(m.open) && templateSource.contains(m.close))
                .findFirst()
                .or(() -> KNOWN.stream()
                        .filter(m -> m.close.toLowerCase(Locale.ROOT).contains("think"))
                        .filter(m -> templateSource.contains(m.close))
                        .findFirst());
    }

    /** The pairs that are looked for, for messages. */
    public static String known() {
        return String.join(
                ", ", KNOWN.stream().map(m -> m.open + ".." + m.close).toList());
    }
}
