package dev.tiller.persona.vectors;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Files of CAST (activation-steering) and AISteer360: JSON with {@code model_type}, {@code directions} by block, a list of
 * numbers or of lists, and {@code explained_variances}. The tools measure at a block's output and apply at a block's input;
 * the directions are put where they were measured.
 */
final class SvecImport {
    private SvecImport() {}

    static Draft read(Path path) {
        JsonObject root = Json.readObject(path);
        String source = path.toString();
        Draft draft = new Draft(Tool.CAST);
        JsonObject directions = Json.object(root, "directions", source);
        for (Map.Entry<String, JsonElement> e : directions.entrySet()) {
            if (!e.getKey().matches("0|[1-9]\\d{0,5}")) {
                throw new TillerException(
                        "key directions: expected block numbers, found " + Messages.quote(e.getKey()));
            }
            draft.layer(Integer.parseInt(e.getKey()), rows(draft, e.getValue(), "directions." + e.getKey()));
        }
        if (draft.directions.isEmpty()) {
            throw new TillerException("key directions: expected at least one block, found none");
        }
        String type = Json.stringOr(root, "model_type", null, source);
        if (type != null) {
            draft.model.addProperty("type", type);
        }
        if (root.has("explained_variances")) {
            draft.source.add("explained_variances", root.get("explained_variances"));
        }
        draft.notes.add(
                "measured at the output of a block; the tool itself applies it at the input of the block of that number");
        return draft;
    }

    private static float[][] rows(Draft draft, JsonElement value, String what) {
        if (!value.isJsonArray() || value.getAsJsonArray().isEmpty()) {
            throw new TillerException("key " + what + ": expected a list of numbers");
        }
        JsonArray list = value.getAsJsonArray();
        if (!list.get(0).isJsonArray()) {
            return new float[][] {row(draft, list, what)};
        }
        float[][] out = new float[list.size()][];
        for (int k = 0; k < out.length; k++) {
            if (!list.get(k).isJsonArray() || list.get(k).getAsJsonArray().isEmpty()) {
                throw new TillerException("key " + what + ": expected lists of numbers");
            }
            out[k] = row(draft, list.get(k).getAsJsonArray(), what);
        }
        return out;
    }

    private static float[] row(Draft draft, JsonArray list, String what) {
        float[] out = new float[list.size()];
        for (int i = 0; i < out.length; i++) {
            JsonElement e = list.get(i);
            if (!e.isJsonPrimitive() || !e.getAsJsonPrimitive().isNumber()) {
                throw new TillerException("key " + what + ": expected a number at " + i);
            }
            double value = e.getAsDouble();
            out[i] = (float) value;
            String rounded = "its numbers have more digits than float32 and are rounded";
            if (out[i] != value && !draft.notes.contains(rounded)) {
                draft.notes.add(rounded);
            }
        }
        return out;
    }
}
