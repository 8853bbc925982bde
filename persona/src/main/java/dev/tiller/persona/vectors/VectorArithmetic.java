package dev.tiller.persona.vectors;

import com.google.gson.JsonObject;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * New vectors from old ones: an expression over named vector files. Everything happens block by block, in double, and is
 * rounded to float32 once at the end, so that an expression that only names a file gives its very values.
 *
 * <p>{@link Expression} has the operators and functions.
 */
public final class VectorArithmetic {
    private static final List<String> SAME = List.of("units", "tokenizer", "template", "positions", "method");

    /** Rows that are kept for exchange and follow the directions through sums and multiples. */
    private static final List<String> EXTRAS = List.of("embedding", "final_norm");

    private VectorArithmetic() {}

    /**
     * Evaluates an expression.
     *
     * @param inputs name in the expression -> file
     * @param op what the result is for; null for what the inputs are for
     * @param name name of the result's trait; null for the expression
     * @param force put vectors of different models or operations together
     */
    public static VectorContent run(
            String expression, Map<String, VectorFile> inputs, String op, String name, boolean force) {
        if (inputs.isEmpty()) {
            throw new TillerException("arith: no vector is given; name one by --vector a=FILE");
        }
        List<VectorFile> files = List.copyOf(inputs.values());
        VectorFile first = files.getFirst();
        files.forEach(f -> checkAlike(first, f, op, force));
        Map<String, Value> values = new LinkedHashMap<>();
        inputs.forEach((key, file) -> values.put(key, value(file.content())));
        Expression parsed = new Expression(expression, values);
        Value result = parsed.result();
        inputs.keySet().forEach(key -> {
            if (!parsed.used().contains(key)) {
                throw new TillerException("arith: vector " + key + " is given but not used in \"" + expression + "\"");
            }
        });
        SortedMap<Integer, float[][]> directions = new TreeMap<>();
        result.blocks().forEach((block, rows) -> directions.put(block, Value.rounded(rows, "block " + block)));
        Map<String, float[]> extras = new LinkedHashMap<>();
        result.extras().forEach((key, row) -> extras.put(key, Value.rounded(row, key)[0]));
        String resultOp = op != null ? op : first.op();
        Map<String, String> metadata = metadata(expression, inputs, resultOp, name, directions);
        return new VectorContent(resultOp, first.content().site(), directions, extras, metadata);
    }

    private static Value value(VectorContent content) {
        TreeMap<Integer, double[][]> blocks = new TreeMap<>();
        content.directions().forEach((block, rows) -> blocks.put(block, Value.of(rows)));
        Map<String, double[][]> extras = new LinkedHashMap<>();
        for (String key : EXTRAS) {
            if (content.extras().containsKey(key)) {
                extras.put(key, Value.of(content.extras().get(key)));
            }
        }
        return new Value(blocks, extras);
    }

    private static void checkAlike(VectorFile a, VectorFile b, String op, boolean force) {
        String names = a.path() + " and " + b.path() + ": ";
        if (a.content().width() != b.content().width()) {
            throw new TillerException(names + "widths " + a.content().width() + " and "
                    + b.content().width() + " do not go together");
        }
        if (a.content().site() != b.content().site()) {
            throw new TillerException(names + "sites " + a.content().site().key() + " and "
                    + b.content().site().key() + " do not go together");
        }
        if (force) {
            return;
        }
        boolean differ = a.modelFingerprint() != null
                && b.modelFingerprint() != null
                && !a.modelFingerprint().equals(b.modelFingerprint());
        if (differ) {
            throw new TillerException(
                    names + "they belong to different models; --force puts them together all the same");
        }
        if (op == null && !a.op().equals(b.op())) {
            throw new TillerException(
                    names + "they are for " + a.op() + " and " + b.op() + "; --op says what the result is for");
        }
    }

    private static Map<String, String> metadata(
            String expression,
            Map<String, VectorFile> inputs,
            String op,
            String name,
            SortedMap<Integer, float[][]> directions) {
        Map<String, String> m = new LinkedHashMap<>();
        List<Map<String, String>> all =
                inputs.values().stream().map(VectorFile::metadata).toList();
        for (String key : SAME) {
            String value = all.getFirst().get(key);
            boolean same = all.stream().allMatch(o -> Objects.equals(o.get(key), value));
            if (!same) {
                m.put(key, key.equals("method") ? "{\"name\":\"mixed\"}" : "mixed");
            } else if (value != null) {
                m.put(key, value);
            }
        }
        model(all).ifPresent(model -> m.put("model", model));
        m.put("alpha", "{\"default\":1.0}");
        m.put("trait", name != null ? name : expression);
        boolean sameUse = inputs.size() == 1
                && op.equals(inputs.values().iterator().next().op());
        for (String key : List.of("bounds", "ops")) {
            if (sameUse && all.getFirst().containsKey(key)) {
                m.put(key, all.getFirst().get(key));
            }
        }
        JsonObject arith = new JsonObject();
        arith.addProperty("expression", expression);
        JsonObject from = new JsonObject();
        inputs.forEach((key, file) -> from.add(key, origin(file)));
        arith.add("inputs", from);
        m.put("arith", arith.toString());
        m.put("statistics", Provenance.statistics(directions).toString());
        m.putAll(Provenance.origin());
        return m;
    }

    /** The model that the inputs belong to; of several only a bound one counts. */
    private static java.util.Optional<String> model(List<Map<String, String>> all) {
        List<String> models = new ArrayList<>();
        for (Map<String, String> m : all) {
            String model = m.get("model");
            if (model != null && !models.contains(model)) {
                models.add(model.contains("\"fingerprint\"") ? 0 : models.size(), model);
            }
        }
        boolean conflict =
                models.stream().filter(m -> m.contains("\"fingerprint\"")).count() > 1;
        return models.isEmpty() || conflict ? java.util.Optional.empty() : java.util.Optional.of(models.getFirst());
    }

    private static JsonObject origin(VectorFile file) {
        Path path = file.path();
        JsonObject o = new JsonObject();
        o.addProperty("file", path.getFileName().toString());
        o.addProperty("sha256", Provenance.sha256(path));
        o.addProperty("trait", file.name());
        o.addProperty("op", file.op());
        for (String key : List.of("source", "arith")) {
            if (file.metadata().containsKey(key)) {
                o.add(key, file.metadataJson(key));
            }
        }
        return o;
    }
}
