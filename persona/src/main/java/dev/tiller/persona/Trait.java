package dev.tiller.persona;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * A character trait as data: instructions that call for it or for its opposite, and questions that give it room to show.
 * The file is JSON with the published keys {@code instruction} (pairs of {@code pos} and {@code neg}), {@code questions}
 * and, if it likes, {@code eval_prompt}.
 *
 * @param name the trait's adjective: the name of the file without its extension
 * @param instructions pairs of opposite instructions
 * @param questions by convention 20 for extraction followed by 20 for evaluation
 * @param evalPrompt rubric for a language model as judge, with {question} and {answer}; null if the file has none
 * @param source the file, for messages
 */
public record Trait(String name, List<Pair> instructions, List<String> questions, String evalPrompt, String source) {
    private static final int EXTRACTION_QUESTIONS = 20;

    public Trait {
        instructions = List.copyOf(instructions);
        questions = List.copyOf(questions);
    }

    /** One instruction for the trait and one against it. */
    public record Pair(String pos, String neg) {
        /** The instruction of that pole. */
        public String of(Pole pole) {
            return pole == Pole.POS ? pos : neg;
        }
    }

    /** Reads a trait file; anything unexpected in it is an error that names the file and the key. */
    public static Trait read(Path file) {
        String source = file.toString();
        JsonObject json = Json.readObject(file);
        Json.onlyKeys(json, Set.of("instruction", "questions", "eval_prompt"), source);
        List<Pair> pairs = pairs(json, source);
        List<String> questions = Json.strings(json, "questions", source);
        if (questions.isEmpty()) {
            throw new TillerException(source + ": questions: the list is empty");
        }
        for (int i = 0; i < questions.size(); i++) {
            if (questions.get(i).isBlank()) {
                throw new TillerException(source + ": questions[" + i + "] is blank");
            }
        }
        String evalPrompt = Json.stringOr(json, "eval_prompt", null, source);
        if (evalPrompt != null && !(evalPrompt.contains("{question}") && evalPrompt.contains("{answer}"))) {
            throw new TillerException(source + ": eval_prompt: expected the places {question} and {answer} in it");
        }
        return new Trait(stem(file), pairs, questions, evalPrompt, source);
    }

    private static List<Pair> pairs(JsonObject json, String source) {
        List<Pair> pairs = new ArrayList<>();
        for (JsonElement e : Json.array(json, "instruction", source)) {
            String where = source + ": instruction[" + pairs.size() + "]";
            if (!e.isJsonObject()) {
                throw new TillerException(where + ": expected an object with pos and neg, found " + e);
            }
            Json.onlyKeys(e.getAsJsonObject(), Set.of("pos", "neg"), where);
            Pair pair = new Pair(
                    Json.string(e.getAsJsonObject(), "pos", where), Json.string(e.getAsJsonObject(), "neg", where));
            if (pair.pos().isBlank() || pair.neg().isBlank()) {
                throw new TillerException(where + ": pos or neg is blank");
            }
            pairs.add(pair);
        }
        if (pairs.isEmpty()) {
            throw new TillerException(source + ": instruction: the list is empty");
        }
        return pairs;
    }

    private static String stem(Path file) {
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        return dot > 0 ? name.substring(0, dot) : name;
    }

    /**
     * The system prompt of one pole: an assistant of that adjective, then the instruction.
     *
     * @param instruction index of the pair
     * @param negName adjective of the negative pole; null for "helpful"
     */
    public String systemPrompt(Pole pole, int instruction, String negName) {
        String adjective = pole == Pole.POS ? name : negName == null ? "helpful" : negName;
        boolean vowel = !adjective.isEmpty() && "aeiouAEIOU".indexOf(adjective.charAt(0)) >= 0;
        return "You are " + (vowel ? "an " : "a ") + adjective + " assistant. "
                + instructions.get(instruction).of(pole);
    }

    /** Indices of the questions meant for extraction: the first 20, or all if there are fewer. */
    public List<Integer> extractionQuestions() {
        return IntStream.range(0, Math.min(EXTRACTION_QUESTIONS, questions.size()))
                .boxed()
                .toList();
    }

    /** Indices of the questions meant for evaluation: those after the first 20; empty if there are none. */
    public List<Integer> evaluationQuestions() {
        return IntStream.range(extractionQuestions().size(), questions.size())
                .boxed()
                .toList();
    }
}
