package dev.tiller.persona.vectors;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.gguf.GgufWriter;
import dev.tiller.loader.torch.TorchWriter;
import dev.tiller.persona.VectorContent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Vector files for other tools. What they cannot say is refused, or left out with a note. */
public final class VectorExport {
    /** Names of the formats that can be written. */
    public static final List<String> FORMATS = List.of("gguf", "pt", "lm-eval");

    private VectorExport() {}

    /** Of a JSON object in the metadata; an empty one if the key is absent. */
    static JsonObject object(VectorContent content, String key) {
        String value = content.metadata().get(key);
        return value == null ? new JsonObject() : Json.parseObject(value, "metadata: " + key);
    }

    /** The coefficient that the file recommends for a block. */
    static double alpha(VectorContent content, int block) {
        JsonObject alpha = object(content, "alpha");
        JsonElement perBlock = alpha.get("per_block");
        String key = Integer.toString(block);
        if (perBlock != null
                && perBlock.isJsonObject()
                && perBlock.getAsJsonObject().has(key)) {
            return Json.number(perBlock.getAsJsonObject(), key, "metadata: alpha.per_block");
        }
        return Json.numberOr(alpha, "default", 1, "metadata: alpha");
    }

    /**
     * A control vector for llama.cpp and the tools that read its files: {@code direction.N} acts on the output of block N.
     * Block 0 cannot be named there and is left out.
     *
     * @param force write a vector that is not for adding; readers of GLP's keys will project it out, others will add it
     * @return notes, one line each
     */
    public static List<String> gguf(VectorContent v, Path out, boolean force) {
        List<String> notes = new ArrayList<>();
        if (v.site() != Site.RESID_POST) {
            throw new TillerException("control vectors act at resid_post, this one is for "
                    + v.site().key());
        }
        if (!v.op().equals("add")) {
            if (!force) {
                throw new TillerException(
                        "op " + v.op() + ": llama.cpp would add this vector, which is another operation;"
                                + " --force writes it all the same");
            }
            notes.add("it is for " + v.op() + "; a reader that only adds will do something else with it");
        }
        if (v.rank() > 1) {
            throw new TillerException("control vectors have one direction per block, this one has " + v.rank());
        }
        List<Integer> blocks = v.blocks().stream().filter(b -> b > 0).toList();
        if (blocks.isEmpty()) {
            throw new TillerException("it has only block 0, which control vectors cannot name");
        }
        if (blocks.size() < v.blocks().size()) {
            notes.add("block 0 is left out: control vectors cannot name it");
        }
        GgufWriter writer = new GgufWriter().key("general.architecture", "controlvector");
        JsonObject model = object(v, "model");
        writer.key("controlvector.model_hint", Json.stringOr(model, "type", "unknown", "metadata: model"));
        writer.key("controlvector.layer_count", blocks.size());
        if (v.op().equals("ablate")) {
            writer.key("glp.mode", "project").key("glp.spec_version", 1);
            writer.key("glp.hook_point", "residual_stream_post_layer");
        }
        writer.key("tiller.op", v.op()).key("tiller.site", v.site().key()).key("tiller.index_base", "0");
        for (String key : List.of("trait", "units", "alpha", "model", "method", "positions")) {
            if (v.metadata().containsKey(key)) {
                writer.key("tiller." + key, v.metadata().get(key));
            }
        }
        blocks.forEach(b -> writer.tensor("direction." + b, v.at(b)));
        writer.write(out);
        double alpha = alpha(v, blocks.getFirst());
        if (alpha != 1) {
            notes.add("the coefficient " + alpha
                    + " is not part of the values; llama.cpp takes it by --control-vector-scaled");
        }
        return notes;
    }

    /**
     * A file in the form of persona_vectors: one tensor [N+1, d], row 0 the embedding, row l the output of block l-1, the
     * last row after the final norm.
     *
     * @param zeros write zeros for rows that the vector does not have, instead of refusing
     * @param modelBlocks N, or null to take it from the file
     * @return notes, one line each
     */
    public static List<String> torch(VectorContent v, Path out, boolean zeros, Integer modelBlocks) {
        if (v.site() != Site.RESID_POST || v.rank() > 1) {
            throw new TillerException(
                    "files of persona_vectors hold one direction per block at resid_post, this one is for "
                            + v.site().key() + " and has " + v.rank());
        }
        JsonObject model = object(v, "model");
        if (modelBlocks == null && !model.has("blocks")) {
            throw new TillerException("the file does not say how many blocks the model has; say --blocks N");
        }
        int n = modelBlocks != null ? modelBlocks : Json.integer(model, "blocks", "metadata: model");
        if (v.directions().lastKey() >= n || n > 100_000) {
            throw new TillerException(
                    "it has a direction for block " + v.directions().lastKey() + ", the model has " + n + " blocks");
        }
        int d = v.width();
        if ((n + 1L) * d > 1 << 28) {
            throw new TillerException((n + 1) + " rows of " + d + " values are too many for a vector file");
        }
        float[] all = new float[(n + 1) * d];
        List<String> missing = new ArrayList<>();
        for (int l = 0; l <= n; l++) {
            float[] row = l == 0
                    ? v.extras().get("embedding")
                    : l == n ? v.extras().get("final_norm") : v.directions().containsKey(l - 1) ? v.at(l - 1) : null;
            if (row == null) {
                missing.add(l == 0 ? "0 (embedding)" : l == n ? n + " (after the final norm)" : Integer.toString(l));
            } else {
                System.arraycopy(row, 0, all, l * d, d);
            }
        }
        if (!missing.isEmpty() && !zeros) {
            throw new TillerException("the form of persona_vectors has a row for each of " + (n + 1)
                    + " hidden states; missing: " + shown(missing) + "; --missing zero fills them with zeros");
        }
        TorchWriter.write(out, new TorchWriter.Tensor(new long[] {n + 1, d}, all));
        List<String> notes = new ArrayList<>();
        if (!missing.isEmpty()) {
            notes.add("rows of zeros: " + shown(missing));
        }
        if (v.directions().containsKey(n - 1)) {
            notes.add("block " + (n - 1) + " is left out: the last row belongs to the final norm");
        }
        if (!v.op().equals("add")) {
            notes.add("the vector is for " + v.op() + ", which the file cannot say");
        }
        return notes;
    }

    private static String shown(List<String> rows) {
        return String.join(", ", rows.subList(0, Math.min(8, rows.size())))
                + (rows.size() > 8 ? " and " + (rows.size() - 8) + " more" : "");
    }

    /** A steer file for the "steered" models of lm-evaluation-harness. */
    public static List<String> lmEval(VectorContent v, Path out, String hook, Double coefficient) {
        return LmEvalExport.write(v, out, hook, coefficient);
    }
}
