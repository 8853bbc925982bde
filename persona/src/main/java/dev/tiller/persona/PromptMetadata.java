package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Activations;
import dev.tiller.engine.Model;
import dev.tiller.engine.Vectors;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/** What a vector file says of directions that were found in prompts. */
final class PromptMetadata {
    private PromptMetadata() {}

    /**
     * @param positions where they were read, in words
     * @param details further keys of the method
     * @param residualNorms block -> mean length of the residual there; null if it was not measured
     */
    static Map<String, String> of(
            Model model,
            String trait,
            Method method,
            String positions,
            JsonObject details,
            SortedMap<Integer, float[][]> directions,
            double[] residualNorms) {
        Map<String, String> m = new LinkedHashMap<>();
        m.put("units", "raw");
        m.put("alpha", "{\"default\":1.0}");
        m.put(VectorFile.TRAIT, trait);
        m.putAll(VectorWriter.modelMetadata(model));
        m.put("positions", positions);
        JsonObject o = new JsonObject();
        o.addProperty("name", method.description());
        o.addProperty("key", method.key());
        details.entrySet().forEach(e -> o.add(e.getKey(), e.getValue()));
        m.put("method", o.toString());
        m.put("statistics", statistics(directions, residualNorms).toString());
        m.putAll(VectorWriter.origin());
        return m;
    }

    private static JsonObject statistics(SortedMap<Integer, float[][]> directions, double[] residualNorms) {
        JsonArray blocks = new JsonArray();
        JsonArray norms = new JsonArray();
        JsonArray residual = new JsonArray();
        directions.forEach((block, rows) -> {
            blocks.add(block);
            if (rows.length == 1) {
                norms.add(Vectors.norm(rows[0]));
            } else {
                JsonArray several = new JsonArray();
                for (float[] row : rows) {
                    several.add(Vectors.norm(row));
                }
                norms.add(several);
            }
            if (residualNorms != null) {
                residual.add(residualNorms[block]);
            }
        });
        JsonObject o = new JsonObject();
        o.addProperty("per", "block");
        o.add("blocks", blocks);
        o.add("vector_norm", norms);
        if (residualNorms != null) {
            o.add("mean_residual_norm", residual);
        }
        return o;
    }

    /** Identifies the prompts that went in. */
    static String hash(List<int[]> texts) {
        MessageDigest digest = Hashes.digest();
        for (int[] ids : texts) {
            ByteBuffer bytes = ByteBuffer.allocate(4 * (ids.length + 1));
            bytes.putInt(ids.length);
            for (int id : ids) {
                bytes.putInt(id);
            }
            digest.update(bytes.flip());
        }
        return Hashes.hex(digest);
    }

    /** [T, d] the residual after l blocks. */
    static float[] level(Activations a, int l) {
        return l == 0 ? a.embed() : a.residPost()[l - 1];
    }
}
