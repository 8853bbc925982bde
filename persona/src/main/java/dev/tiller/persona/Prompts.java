package dev.tiller.persona;

import com.google.gson.JsonElement;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Things that a user says, for measurements. */
public final class Prompts {
    /** Ordinary requests that ask for no trait: what calibration uses if it is given none. */
    public static final List<String> NEUTRAL = List.of(
            "What is the difference between a lake and a pond?",
            "Explain how a bicycle stays upright.",
            "Write two sentences about a train station in the morning.",
            "How do I boil an egg?",
            "Which planets are larger than the Earth?",
            "Give me three tips for packing a suitcase.",
            "What happens when water freezes?",
            "Describe a typical day of a librarian.",
            "Why do leaves change colour in autumn?",
            "How long does it take to learn to swim?",
            "Tell me about the history of paper.",
            "What should I look for in a used car?");

    private Prompts() {}

    /**
     * Reads prompts: a JSON list of texts, a trait file (its questions), or one prompt in each line that is not blank.
     *
     * @return at least one
     */
    public static List<String> read(Path file) {
        List<String> out = file.getFileName().toString().endsWith(".json") ? json(file) : lines(file);
        if (out.isEmpty()) {
            throw new TillerException(file + ": expected at least one prompt, found none");
        }
        return out;
    }

    private static List<String> lines(Path file) {
        return AtomicFiles.readUtf8(file)
                .lines()
                .map(String::strip)
                .filter(l -> !l.isEmpty())
                .toList();
    }

    private static List<String> json(Path file) {
        JsonElement json = Json.read(file);
        if (json.isJsonObject()) {
            return Trait.read(file).questions();
        }
        if (!json.isJsonArray()) {
            throw new TillerException(file + ": expected a list of texts, found " + json);
        }
        List<String> out = new ArrayList<>();
        for (JsonElement e : json.getAsJsonArray()) {
            if (!e.isJsonPrimitive()
                    || !e.getAsJsonPrimitive().isString()
                    || e.getAsString().isBlank()) {
                throw new TillerException(file + ": [" + out.size() + "]: expected a text, found " + e);
            }
            out.add(e.getAsString());
        }
        return out;
    }
}
