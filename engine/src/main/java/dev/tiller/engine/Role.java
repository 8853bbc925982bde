package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Who speaks at a position.
 *
 * <ul>
 *   <li>SYSTEM, USER, TOOL: the words of such messages as the chat template prints them, without the markers around them
 *   <li>ASSISTANT: every position whose output is a token of the assistant, and that token itself: for an earlier answer
 *       from the position before its first token (thoughts included, if the template prints them) to its last token, and
 *       all positions of the generation, p >= promptLength - 1
 *   <li>THINKING: every position whose output is a token of the assistant's thoughts: from the end of the opening marker
 *       to the last token before the closing one, in the prompt and while generating
 * </ul>
 */
public enum Role {
    SYSTEM,
    USER,
    ASSISTANT,
    THINKING,
    TOOL;

    /** The name in plans, e.g. "user". */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** All names, for messages. */
    static String keys() {
        return Arrays.stream(values()).map(Role::key).collect(Collectors.joining(", "));
    }

    /** The role of that name; an error that lists the accepted names otherwise. */
    public static Role of(String key, String where) {
        for (Role r : values()) {
            if (r.key().equals(key)) {
                return r;
            }
        }
        throw new TillerException(where + ": unknown role \"" + key + "\"; accepted: " + keys());
    }

    /** The role of a message in a conversation; null if it is none of these. */
    static Role ofMessage(String role) {
        return switch (role) {
            case "system", "developer" -> SYSTEM;
            case "user" -> USER;
            case "assistant" -> ASSISTANT;
            case "tool", "ipython" -> TOOL;
            default -> null;
        };
    }
}
