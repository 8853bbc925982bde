package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.engine.ChatPrompt;
import dev.tiller.engine.Model;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Option;

/** The text to continue: exactly one of the three is given. */
final class PromptArguments {
    @Option(names = "--ids", paramLabel = "1,2,3", description = "Token ids.")
    private String ids;

    @Option(names = "--prompt", paramLabel = "TEXT", description = "Plain text to continue.")
    private String prompt;

    @Option(
            names = "--messages",
            paramLabel = "FILE",
            description = "JSON list of {\"role\", \"content\"} objects, rendered by the model's chat template.")
    private Path messages;

    /** The conversation, or null if the prompt is a text or tokens. */
    ChatPrompt chat(Model model) {
        return messages == null ? null : model.chatPrompt(messages(messages));
    }

    /** Tokens of a prompt that is no conversation, at least one. */
    int[] tokens(Model model) {
        if (ids != null) {
            return ids(ids);
        }
        if (prompt != null) {
            if (prompt.isEmpty()) {
                throw new TillerException("--prompt: the prompt is empty: at least one character is needed");
            }
            return model.encode(prompt);
        }
        return chat(model).ids();
    }

    /** Parses {@code 1,2,3}. */
    static int[] ids(String text) {
        if (text.isBlank()) {
            throw new TillerException("--ids: the prompt is empty: at least one token is needed");
        }
        String[] parts = text.split(",", -1);
        int[] out = new int[parts.length];
        for (int i = 0; i < parts.length; i++) {
            try {
                out[i] = Integer.parseInt(parts[i].strip());
            } catch (NumberFormatException e) {
                throw new TillerException(
                        "--ids: \"" + parts[i] + "\" is not a token id; expected numbers like 1,2,3", e);
            }
        }
        return out;
    }

    /** Reads a conversation, at least one message. */
    static List<Message> messages(Path file) {
        JsonElement json = Json.read(file);
        if (!json.isJsonArray() || json.getAsJsonArray().isEmpty()) {
            throw new TillerException(file + ": expected a list of at least one {\"role\", \"content\"} object");
        }
        JsonArray list = json.getAsJsonArray();
        List<Message> out = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            String where = file + ": [" + i + "]";
            if (!list.get(i).isJsonObject()) {
                throw new TillerException(where + ": expected an object with \"role\" and \"content\"");
            }
            JsonObject o = list.get(i).getAsJsonObject();
            Json.onlyKeys(o, Set.of("role", "content"), where);
            out.add(new Message(Json.string(o, "role", where), Json.string(o, "content", where)));
        }
        return out;
    }
}
