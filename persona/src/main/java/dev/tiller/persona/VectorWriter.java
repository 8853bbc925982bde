package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.engine.ModelSpec;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Lays out a persona vector as a vector file. */
final class VectorWriter {
    private static final String SITE_NAME = "resid_post";

    private VectorWriter() {}

    static void write(Path file, VectorContent content) {
        SafetensorsWriter writer = new SafetensorsWriter();
        writer.metadata(VectorFile.VERSION_KEY, Integer.toString(VectorFile.VERSION));
        writer.metadata(VectorFile.OP, content.op());
        writer.metadata(VectorFile.SITE, content.site().key());
        writer.metadata(VectorFile.INDEX_BASE, "0");
        content.metadata().forEach(writer::metadata);
        int d = content.width();
        content.directions().forEach((block, rows) -> {
            float[] all = new float[rows.length * d];
            for (int k = 0; k < rows.length; k++) {
                System.arraycopy(rows[k], 0, all, k * d, d);
            }
            long[] shape = rows.length == 1 ? new long[] {d} : new long[] {rows.length, d};
            writer.add(content.site().key() + "." + block, shape, all);
        });
        content.extras().forEach((name, v) -> writer.add(name, new long[] {d}, v));
        writer.write(file);
    }

    /** Copies a file with some metadata changed or added; everything else stays as it is, bit for bit. */
    static void rewrite(Path in, Path out, Map<String, String> changes) {
        try (Safetensors open = Safetensors.open(in)) {
            SafetensorsWriter writer = new SafetensorsWriter();
            Map<String, String> metadata = new LinkedHashMap<>(open.metadata());
            metadata.putAll(new TreeMap<>(changes));
            metadata.forEach(writer::metadata);
            open.tensors().values().forEach(writer::add);
            writer.write(out);
        }
    }

    static void write(Path file, PersonaVector vector, Model model, Map<String, String> extra) {
        if (!model.fingerprint().equals(vector.modelFingerprint())) {
            throw new TillerException(file + ": the vector \"" + vector.trait() + "\" was found in another model");
        }
        Map<String, String> metadata = metadata(vector, model);
        extra.forEach((key, value) -> {
            if (metadata.put(key, value) != null) {
                throw new TillerException(file + ": metadata key \"" + key + "\" belongs to the format");
            }
        });
        SafetensorsWriter writer = new SafetensorsWriter();
        metadata.forEach(writer::metadata);
        for (PersonaVector.Pooled which : vector.pooled()) {
            add(writer, prefix(which), vector.rows(which));
        }
        writer.write(file);
    }

    /** Tensors of the answer direction have plain names; they are the ones to steer with. */
    private static String prefix(PersonaVector.Pooled which) {
        return which == PersonaVector.Pooled.RESPONSE_AVG ? "" : which.name().toLowerCase(Locale.ROOT) + ".";
    }

    private static void add(SafetensorsWriter writer, String prefix, float[][] rows) {
        int blocks = rows.length - 2;
        long[] shape = {rows[0].length};
        for (int b = 0; b < blocks; b++) {
            writer.add(prefix + SITE_NAME + "." + b, shape, rows[b + 1]);
        }
        writer.add(prefix + "embedding", shape, rows[0]);
        writer.add(prefix + "final_norm", shape, rows[blocks + 1]);
    }

    private static Map<String, String> metadata(PersonaVector vector, Model model) {
        Map<String, String> m = new LinkedHashMap<>();
        m.put(VectorFile.VERSION_KEY, Integer.toString(VectorFile.VERSION));
        m.put(VectorFile.OP, "add");
        m.put(VectorFile.SITE, SITE_NAME);
        m.put(VectorFile.INDEX_BASE, "0");
        m.put("units", vector.method() == Method.MEAN ? "raw" : "unit norm");
        m.put("alpha", "{\"default\":1.0}");
        m.put(VectorFile.TRAIT, vector.trait());
        m.putAll(modelMetadata(model));
        m.put("positions", positions(vector).toString());
        m.put("method", method(vector).toString());
        m.put("statistics", statistics(vector).toString());
        m.putAll(origin());
        return m;
    }

    /** Which program wrote the file, and when. */
    static Map<String, String> origin() {
        Map<String, String> m = new LinkedHashMap<>();
        m.put("created_by", "tiller " + ProgramVersion.number());
        m.put("created_at", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        return m;
    }

    static Map<String, String> modelMetadata(Model model) {
        Map<String, String> m = new LinkedHashMap<>();
        m.put(VectorFile.MODEL, model(model).toString());
        m.put("tokenizer", tokenizer(model));
        m.put(
                "template",
                model.checkpoint().chatTemplateSource().map(Hashes::sha256).orElse("none"));
        return m;
    }

    private static JsonObject model(Model model) {
        ModelSpec spec = model.spec();
        JsonObject o = object("id", model.checkpoint().name());
        o.addProperty("type", model.checkpoint().config().modelType());
        o.addProperty("fingerprint", model.fingerprint());
        o.addProperty("hidden_size", spec.width());
        o.addProperty("blocks", spec.blocks());
        return o;
    }

    /** SHA-256 over the vocabulary in the order of the ids. */
    private static String tokenizer(Model model) {
        if (!model.hasTokenizer()) {
            return "none";
        }
        String[] tokens = new String[model.tokenizer().vocabSize()];
        for (int id = 0; id < tokens.length; id++) {
            tokens[id] = model.tokenizer().token(id);
        }
        return Hashes.sha256(tokens);
    }

    private static JsonObject positions(PersonaVector vector) {
        JsonObject o = object(SITE_NAME, "mean over the tokens of the answer");
        if (vector.pooled().contains(PersonaVector.Pooled.PROMPT_AVG)) {
            o.addProperty("prompt_avg." + SITE_NAME, "mean over the tokens of the prompt");
            o.addProperty("prompt_last." + SITE_NAME, "last token of the prompt");
        }
        o.addProperty("embedding", "the same average at the input of block 0");
        o.addProperty("final_norm", "the same average after the final norm; no direction of the residual stream");
        return o;
    }

    private static JsonObject method(PersonaVector vector) {
        Selection s = vector.selection();
        JsonObject o = object("name", vector.method().description());
        o.addProperty("weighting", "every answer counts the same");
        o.addProperty("judged", s.judged());
        o.addProperty("threshold", s.threshold());
        o.addProperty("pairs", s.total());
        o.addProperty("pairs_kept", s.kept().size());
        o.addProperty("selection", s.describe());
        o.addProperty("texts_sha256", vector.textsHash());
        if (vector.method() != Method.MEAN) {
            making(vector, o);
        }
        return o;
    }

    /** Options of the method, and what it found at the output of every block. */
    private static void making(PersonaVector vector, JsonObject o) {
        ExtractionOptions options = vector.making().options();
        o.addProperty("key", options.method().key());
        o.addProperty("decision", "scores are direction . x + bias; 0 or more is positive");
        if (options.method() == Method.LOGISTIC) {
            o.addProperty("c", options.c());
        }
        vector.making().details().forEach((name, levels) -> {
            JsonArray perBlock = new JsonArray();
            for (int b = 0; b < vector.blocks(); b++) {
                perBlock.add(levels[b + 1]);
            }
            o.add(name, perBlock);
        });
    }

    private static JsonObject statistics(PersonaVector vector) {
        JsonArray blocks = new JsonArray();
        JsonArray norm = new JsonArray();
        JsonArray residual = new JsonArray();
        JsonArray auc = new JsonArray();
        JsonArray cohen = new JsonArray();
        double[] residualNorm = vector.meanResidualNorm();
        for (int b = 0; b < vector.blocks(); b++) {
            Separation s = vector.separation().get(b + 1);
            blocks.add(b);
            norm.add(Vectors.norm(vector.residPost(b)));
            residual.add(residualNorm[b + 1]);
            auc.add(s.auc());
            cohen.add(Double.isFinite(s.cohenD()) ? s.cohenD() : null);
        }
        JsonObject o = object("per", "block");
        o.add("blocks", blocks);
        o.add("vector_norm", norm);
        o.add("mean_residual_norm", residual);
        o.add("auc", auc);
        o.add("cohen_d", cohen);
        return o;
    }

    private static JsonObject object(String key, String value) {
        JsonObject o = new JsonObject();
        o.addProperty(key, value);
        return o;
    }
}
