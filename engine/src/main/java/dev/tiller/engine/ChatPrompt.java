package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.function.Supplier;

/**
 * A conversation as the chat template renders it, with its tokens. It knows who speaks where, which spans like
 * {@code {"role": "user"}} ask for; that is found out only when a plan does.
 */
public final class ChatPrompt {
    private final String text;
    private final int[] ids;
    private final Supplier<PromptRoles> finder;
    private PromptRoles roles;

    ChatPrompt(String text, int[] ids, Supplier<PromptRoles> finder) {
        this.text = text;
        this.ids = ids;
        this.finder = finder;
    }

    /** The rendered conversation. */
    public String text() {
        return text;
    }

    /** [T] its tokens. Not a copy. */
    public int[] ids() {
        return ids;
    }

    /**
     * True if that role speaks at that position of the prompt.
     *
     * @throws TillerException if the template changes what messages say, so that their places are not known
     */
    public boolean has(Role role, int position) {
        return roles().has(role, position);
    }

    synchronized PromptRoles roles() {
        if (roles == null) {
            roles = finder.get();
        }
        return roles;
    }
}
