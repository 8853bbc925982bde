package dev.tiller.persona;

import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Prompts that call for a behaviour and prompts that do not, some to find directions with and others to choose among them.
 *
 * @param posTrain prompts that call for it
 * @param negTrain prompts that do not
 * @param posValidation others that do
 * @param negValidation others that do not
 */
public record ContrastPrompts(
        List<Prompt> posTrain, List<Prompt> negTrain, List<Prompt> posValidation, List<Prompt> negValidation) {

    /** Of prompts without a division, every fifth is for validation. */
    private static final int EVERY = 5;

    public ContrastPrompts {
        if (posTrain.isEmpty() || negTrain.isEmpty() || posValidation.isEmpty() || negValidation.isEmpty()) {
            throw new TillerException("contrasting prompts: expected some of each group, found " + posTrain.size()
                    + " positive and " + negTrain.size() + " negative to find directions with, " + posValidation.size()
                    + " and " + negValidation.size() + " to choose among them");
        }
        posTrain = List.copyOf(posTrain);
        negTrain = List.copyOf(negTrain);
        posValidation = List.copyOf(posValidation);
        negValidation = List.copyOf(negValidation);
    }

    /**
     * A conversation that the model is to answer.
     *
     * @param question what the user said
     * @param ids [T] its tokens
     */
    public record Prompt(String question, int[] ids) {
        static Prompt of(Model model, Message... messages) {
            return new Prompt(messages[messages.length - 1].content(), model.chat(List.of(messages)));
        }
    }

    /**
     * The questions of a trait under its positive instructions and without any: extraction questions under every pair to
     * find directions with, each evaluation question under one pair (in turn) to choose among them. Without evaluation
     * questions every fifth extraction question serves for that. The negative prompts are plain on purpose: against the
     * opposite instructions a direction has two poles, and ablating it would change both (so no KL could be small).
     */
    public static ContrastPrompts of(Model model, Trait trait) {
        List<Integer> train = new ArrayList<>(trait.extractionQuestions());
        List<Integer> validation = new ArrayList<>(trait.evaluationQuestions());
        if (validation.isEmpty()) {
            train.stream().filter(q -> q % EVERY == EVERY - 1).forEach(validation::add);
            train.removeAll(validation);
        }
        List<Prompt> posTrain = new ArrayList<>();
        List<Prompt> negTrain = new ArrayList<>();
        for (int q : train) {
            negTrain.add(plain(model, trait, q));
            for (int k = 0; k < trait.instructions().size(); k++) {
                posTrain.add(instructed(model, trait, k, q));
            }
        }
        List<Prompt> posValidation = new ArrayList<>();
        List<Prompt> negValidation = new ArrayList<>();
        for (int i = 0; i < validation.size(); i++) {
            int pair = i % trait.instructions().size();
            posValidation.add(instructed(model, trait, pair, validation.get(i)));
            negValidation.add(plain(model, trait, validation.get(i)));
        }
        return new ContrastPrompts(posTrain, negTrain, posValidation, negValidation);
    }

    private static Prompt instructed(Model model, Trait trait, int pair, int question) {
        return Prompt.of(
                model,
                new Message("system", trait.systemPrompt(Pole.POS, pair, null)),
                new Message("user", trait.questions().get(question)));
    }

    private static Prompt plain(Model model, Trait trait, int question) {
        return Prompt.of(model, new Message("user", trait.questions().get(question)));
    }

    /**
     * Reads what users ask, without system prompt, from a JSON file with the lists {@code positive} and {@code negative};
     * every fifth of each is for validation.
     */
    public static ContrastPrompts read(Path file, Model model) {
        JsonObject json = Json.readObject(file);
        Json.onlyKeys(json, Set.of("positive", "negative"), file.toString());
        List<List<Prompt>> groups = new ArrayList<>();
        for (String key : List.of("positive", "negative")) {
            List<Prompt> train = new ArrayList<>();
            List<Prompt> validation = new ArrayList<>();
            for (String text : Json.strings(json, key, file.toString())) {
                boolean kept = (train.size() + validation.size()) % EVERY == EVERY - 1;
                (kept ? validation : train).add(Prompt.of(model, new Message("user", text)));
            }
            groups.add(train);
            groups.add(validation);
        }
        return new ContrastPrompts(groups.get(0), groups.get(2), groups.get(1), groups.get(3));
    }

    /** All of them. */
    List<Prompt> all() {
        List<Prompt> out = new ArrayList<>(posTrain);
        out.addAll(negTrain);
        out.addAll(posValidation);
        out.addAll(negValidation);
        return out;
    }

    /**
     * How many tokens at the end of every prompt belong to the chat template and not to what the user said, at least 1:
     * those that all prompts and two more with other words have in common.
     */
    int tokensAfterInstruction(Model model) {
        List<Prompt> all = all();
        all.add(Prompt.of(model, new Message("user", "x")));
        all.add(Prompt.of(model, new Message("user", "Seven!")));
        int[] first = all.getFirst().ids();
        int common = first.length;
        for (Prompt p : all) {
            int same = 0;
            while (same < Math.min(common, p.ids().length)
                    && p.ids()[p.ids().length - 1 - same] == first[first.length - 1 - same]) {
                same++;
            }
            common = Math.min(common, same);
        }
        return Math.max(1, common);
    }
}
