package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.engine.Activations;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import dev.tiller.loader.tokenizer.Encoding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Contrastive activation addition (CAA; Rimsky et al. 2023, arXiv 2312.06681): questions with two answers to choose from,
 * (A) and (B). Every question is run twice, with the letter that matches the behaviour and with the other one as the
 * answer, and v_b = mean over the questions of h_b(matching) - h_b(other), h_b the output of block b at the letter's token:
 * the last but one (position -2), where the closing bracket is a token of its own.
 */
public final class AnswerLetters {
    private static final Set<String> KEYS =
            Set.of("question", "answer_matching_behavior", "answer_not_matching_behavior");

    private AnswerLetters() {}

    /**
     * One question.
     *
     * @param text with its choices
     * @param matching answer that shows the behaviour, e.g. "(A)"
     * @param other the other answer, e.g. "(B)"
     */
    public record Question(String text, String matching, String other) {}

    /**
     * A text with the place of its answer letter.
     *
     * @param ids [T] prompt and answer
     * @param letter position of the letter's token
     */
    record Lettered(int[] ids, int letter) {}

    /** Reads questions with the published keys: a JSON list, or one object per line. */
    public static List<Question> read(Path file) {
        List<Question> out = new ArrayList<>();
        for (JsonElement e : elements(file)) {
            String where = file + ": question " + (out.size() + 1);
            if (!e.isJsonObject()) {
                throw new TillerException(where + ": expected an object, found " + e);
            }
            JsonObject o = e.getAsJsonObject();
            Json.onlyKeys(o, KEYS, where);
            Question q = new Question(
                    Json.string(o, "question", where),
                    Json.string(o, "answer_matching_behavior", where).strip(),
                    Json.string(o, "answer_not_matching_behavior", where).strip());
            if (letter(q.matching(), where) == letter(q.other(), where)) {
                throw new TillerException(where + ": both answers are \"" + q.matching() + "\"");
            }
            out.add(q);
        }
        if (out.isEmpty()) {
            throw new TillerException(file + ": has no questions");
        }
        return out;
    }

    private static List<JsonElement> elements(Path file) {
        try {
            String text = Files.readString(file).strip();
            if (text.startsWith("[")) {
                JsonArray list = Json.parse(text, file.toString()).getAsJsonArray();
                return list.asList();
            }
            List<JsonElement> out = new ArrayList<>();
            int line = 0;
            for (String one : text.split("\n", -1)) {
                line++;
                if (!one.isBlank()) {
                    out.add(Json.parse(one, file + ": line " + line));
                }
            }
            return out;
        } catch (IOException e) {
            throw new TillerException(file + ": cannot be read (" + e + ")", e);
        }
    }

    /** The only letter or digit of an answer. */
    private static int letter(String answer, String where) {
        int[] letters = answer.codePoints().filter(Character::isLetterOrDigit).toArray();
        if (letters.length != 1) {
            throw new TillerException(where + ": answer \"" + answer + "\": expected one letter, like (A)");
        }
        return letters[0];
    }

    /**
     * Finds the directions of a behaviour.
     *
     * @param trait its name
     * @return one direction per block output, to be added
     */
    public static VectorContent run(Model model, String trait, List<Question> questions, Progress progress) {
        List<Lettered> pos = new ArrayList<>();
        List<Lettered> neg = new ArrayList<>();
        for (Question q : questions) {
            Lettered p = tokens(model, q, q.matching());
            Lettered n = tokens(model, q, q.other());
            if (p.letter != n.letter || p.ids.length != n.ids.length) {
                throw new TillerException("question \"" + q.text() + "\": the answers " + q.matching() + " and "
                        + q.other() + " have their letters at different tokens, " + p.letter + " of " + p.ids.length
                        + " and " + n.letter + " of " + n.ids.length);
            }
            pos.add(p);
            neg.add(n);
        }
        double[] norms = new double[model.spec().blocks()];
        float[][] v = difference(model, pos, neg, norms, progress);
        SortedMap<Integer, float[][]> directions = new TreeMap<>();
        for (int b = 0; b < v.length; b++) {
            directions.put(b, new float[][] {v[b]});
        }
        List<int[]> texts = new ArrayList<>();
        pos.forEach(t -> texts.add(t.ids));
        neg.forEach(t -> texts.add(t.ids));
        JsonObject details = new JsonObject();
        details.addProperty("pairs", questions.size());
        details.addProperty("token_from_end", pos.getFirst().letter - pos.getFirst().ids.length);
        details.addProperty("texts_sha256", PromptMetadata.hash(texts));
        return new VectorContent(
                "add",
                Site.RESID_POST,
                directions,
                java.util.Map.of(),
                PromptMetadata.of(model, trait, Method.CAA, "token of the answer letter", details, directions, norms));
    }

    /** The question as the user's turn, the answer as the beginning of the assistant's. */
    private static Lettered tokens(Model model, Question q, String answer) {
        String prompt = model.template().isPresent()
                ? model.renderChat(List.of(new Message("user", q.text())))
                : q.text() + "\n\nAnswer: ";
        int before = prompt.codePointCount(0, prompt.length());
        int[] points = answer.codePoints().toArray();
        int at = before;
        while (!Character.isLetterOrDigit(points[at - before])) {
            at++;
        }
        Encoding e = model.tokenizer()
                .encodeWithOffsets(prompt + answer, model.template().isEmpty());
        for (int t = e.ids().length - 1; t >= 0; t--) {
            if (e.starts()[t] <= at && at < e.ends()[t]) {
                return new Lettered(e.ids(), t);
            }
        }
        throw new TillerException("question \"" + q.text() + "\": no token holds the letter of " + answer);
    }

    /**
     * Mean difference at the letters, accumulated in double.
     *
     * @param norms [L] receives the mean length of the residual at the letters
     * @return [L][d] for every block output
     */
    static float[][] difference(
            Model model, List<Lettered> pos, List<Lettered> neg, double[] norms, Progress progress) {
        int d = model.spec().width();
        double[][] sums = new double[model.spec().blocks()][d];
        for (int i = 0; i < pos.size(); i++) {
            add(model, pos.get(i), 1, sums, norms);
            add(model, neg.get(i), -1, sums, norms);
            progress.update("activations", i + 1, pos.size());
        }
        float[][] out = new float[sums.length][d];
        for (int b = 0; b < sums.length; b++) {
            norms[b] /= 2.0 * pos.size();
            for (int i = 0; i < d; i++) {
                out[b][i] = (float) (sums[b][i] / pos.size());
            }
        }
        return out;
    }

    private static void add(Model model, Lettered text, int sign, double[][] sums, double[] norms) {
        Activations a = model.residuals(text.ids, text.ids.length, SteeringPlan.NONE);
        for (int b = 0; b < sums.length; b++) {
            double square = 0;
            for (int i = 0; i < sums[b].length; i++) {
                double x = a.residPost()[b][text.letter * sums[b].length + i];
                sums[b][i] += sign * x;
                square += x * x;
            }
            norms[b] += Math.sqrt(square);
        }
    }
}
