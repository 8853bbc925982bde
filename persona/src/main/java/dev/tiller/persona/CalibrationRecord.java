package dev.tiller.persona;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Calibration;
import dev.tiller.engine.Model;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Stores what calibration measured in the metadata of a vector file: the numbers under {@link Calibrations#KEY}, and how they
 * came about under {@code calibration_method}. Tensors and all other metadata stay as they are, bit for bit.
 */
public final class CalibrationRecord {
    /** The metadata key that says how the numbers came about. */
    public static final String METHOD = "calibration_method";

    private CalibrationRecord() {}

    /** How these numbers came about, as JSON; the same text for the same measurement. */
    public static JsonObject method(Model model, List<String> prompts, int maxTokens, int positions) {
        JsonObject o = new JsonObject();
        o.addProperty("model", model.fingerprint());
        o.addProperty("weights", model.weightFormats());
        o.addProperty("prompts", prompts.size());
        o.addProperty("prompts_sha256", Hashes.sha256(prompts.toArray(String[]::new)));
        o.addProperty("answers", "greedy, unsteered");
        o.addProperty("max_tokens", maxTokens);
        o.addProperty("positions", positions);
        o.addProperty("span", "generation");
        o.addProperty("kl", "mean over all positions of KL(steered || unsteered), nats");
        return o;
    }

    /**
     * Writes a vector file with these numbers, complete or not at all. Divergences of other blocks that the file has are kept
     * if they were measured in the same way.
     *
     * @param in the file they are about
     * @param out where to write; may be the same file
     */
    public static void write(VectorFile in, Path out, SortedMap<Integer, Calibration> measured, JsonObject method) {
        Map<Integer, Calibration> all = new TreeMap<>(measured);
        if (method.equals(in.metadataJson(METHOD))) {
            in.steering()
                    .calibration()
                    .forEach((block, before) -> all.computeIfPresent(
                            block,
                            (b, now) -> now.coefficients().isEmpty()
                                            && !before.coefficients().isEmpty()
                                    ? new Calibration(now.residualNorm(), now.mean(), now.sd(), before.coefficients())
                                    : now));
        }
        VectorWriter.rewrite(
                in.path(), out, Map.of(Calibrations.KEY, Calibrations.write(all), METHOD, method.toString()));
    }

    /** The result as JSON. */
    public static JsonObject json(Calibrator.Result result, JsonObject method) {
        JsonObject o = new JsonObject();
        o.add("method", method);
        JsonArray blocks = new JsonArray();
        result.calibration().forEach((block, c) -> {
            JsonObject one = new JsonObject();
            one.addProperty("block", block);
            one.addProperty("residual_norm", c.residualNorm());
            one.addProperty("mean", c.mean());
            one.addProperty("sd", c.sd());
            JsonArray kl = new JsonArray();
            c.coefficients().forEach((divergence, coefficient) -> {
                JsonArray pair = new JsonArray();
                pair.add(divergence);
                pair.add(coefficient);
                kl.add(pair);
            });
            one.add("kl", kl);
            JsonArray missed = new JsonArray();
            result.missed().getOrDefault(block, List.of()).forEach(missed::add);
            one.add("not_reached", missed);
            blocks.add(one);
        });
        o.add("blocks", blocks);
        return o;
    }

    /** Refuses vector files whose directions have no single scale. */
    public static void check(VectorFile file) {
        if (file.op().equals(VectorContent.MIXED)) {
            throw new TillerException(file.path() + ": its blocks have different operations; calibration needs one");
        }
        if (file.content().rank() > 1) {
            throw new TillerException(
                    file.path() + ": has " + file.content().rank()
                            + " directions per block, calibration needs one; \"vector arith 'pick(v, 0)' --vector v=FILE\" takes one out");
        }
    }
}
