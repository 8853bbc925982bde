package dev.tiller.engine;

import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.template.ChatTemplate;
import dev.tiller.loader.template.Message;
import dev.tiller.loader.tokenizer.Tokenizer;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The tokens that end an answer: those of generation_config.json (config.json if it names none), and the special token that the chat
 * template writes right after an assistant's message.
 */
final class StopTokens {
    private StopTokens() {}

    static Set<Integer> of(Checkpoint checkpoint, Tokenizer tokenizer, ChatTemplate template) {
        Set<Integer> ids = new HashSet<>(checkpoint.generationConfig().eosIds());
        if (tokenizer != null && template != null) {
            int end = endOfTurn(tokenizer, template, Map.copyOf(checkpoint.specialTokens()));
            if (end >= 0) {
                ids.add(end);
            }
        }
        return Set.copyOf(ids);
    }

    private static int endOfTurn(Tokenizer tokenizer, ChatTemplate template, Map<String, Object> vars) {
        String marker = "zyx";
        List<Message> turn = List.of(new Message("user", "a"), new Message("assistant", marker));
        String text;
        try {
            text = template.render(turn, null, false, vars).text();
        } catch (dev.tiller.loader.TillerException e) {
            return -1; // a template that refuses this tiny dialogue tells nothing about its end of turn
        }
        int at = text.lastIndexOf(marker);
        if (at < 0) {
            return -1;
        }
        int[] after = tokenizer.encode(text.substring(at + marker.length()).stripLeading(), false);
        return after.length > 0 && tokenizer.isSpecial(after[0]) ? after[0] : -1;
    }
}
