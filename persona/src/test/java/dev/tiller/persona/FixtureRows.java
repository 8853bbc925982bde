package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The judged pairs of a persona fixture, and numbers to compare vectors with. */
final class FixtureRows {
    private FixtureRows() {}

    static List<Rollout> read(Path dir, Pole pole) {
        List<Rollout> out = new ArrayList<>();
        for (JsonElement e : Json.read(dir.resolve("rows.json")).getAsJsonArray()) {
            JsonObject row = e.getAsJsonObject();
            JsonObject text = row.getAsJsonObject(pole.key());
            int[] prompt = text.has("prompt_ids") ? ints(text.getAsJsonArray("prompt_ids")) : null;
            int[] ids = prompt == null
                    ? ints(text.getAsJsonArray("ids"))
                    : join(prompt, ints(text.getAsJsonArray("response_ids")));
            int promptLength = prompt == null ? text.get("prompt_len").getAsInt() : prompt.length;
            Scores scores =
                    new Scores(score(row.get(pole.key() + "_score")), score(row.get(pole.key() + "_coherence")), null);
            out.add(new Rollout(out.size(), 0, 0, pole, "q", "p", "a", ids, promptLength, true, scores));
        }
        return out;
    }

    static List<Integer> kept(Path dir, int threshold) {
        JsonArray list = Json.readObject(dir.resolve("expected.json")).getAsJsonArray("kept_threshold_" + threshold);
        return list.asList().stream().map(JsonElement::getAsInt).toList();
    }

    private static Double score(JsonElement e) {
        return e.isJsonNull() ? null : (Double) e.getAsDouble();
    }

    static int[] ints(JsonArray a) {
        return a.asList().stream().mapToInt(JsonElement::getAsInt).toArray();
    }

    private static int[] join(int[] a, int[] b) {
        int[] out = java.util.Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, out, a.length, b.length);
        return out;
    }

    /** |a - b| / |b|. */
    static double relativeL2(float[] found, float[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow((double) found[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        return norm == 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
    }
}
