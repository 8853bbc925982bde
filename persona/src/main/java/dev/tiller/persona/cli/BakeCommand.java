package dev.tiller.persona.cli;

import com.google.gson.JsonObject;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.DType;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorFile;
import dev.tiller.persona.bake.Bake;
import dev.tiller.persona.bake.Parity;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tiller bake}: steering as weights. */
@Command(
        name = "bake",
        header = "Write steering into a model's weights, with proof.",
        description =
                "Writes a checkpoint or an adapter that does without steering what the vector does with it, for programs"
                        + " that cannot steer. orthogonal: a checkpoint whose embedding, attention and MLP outputs lack the"
                        + " direction. lora: the same as a PEFT adapter of rank 1. bias: a checkpoint that adds the vector at"
                        + " the outputs of its blocks (families with a bias behind the MLP). The logits of the steered and of"
                        + " the baked model are compared; above the tolerance, or above what the steering changes, the exit"
                        + " code is 1.",
        footer = {
            "",
            "Examples:",
            "  tiller bake --model DIR --vector refusal.safetensors --as orthogonal --out baked",
            "  tiller bake --model DIR --vector kind.safetensors --as bias --coefficient 1.5 --out baked"
        })
final class BakeCommand implements Callable<Integer> {
    private static final double EXACT = 1e-4;
    private static final double ROUNDED = 3e-2;

    private final Console console;

    @Option(names = "--vector", required = true, paramLabel = "V", description = "Vector file.")
    private Path vector;

    @Option(names = "--as", required = true, paramLabel = "FORM", description = "orthogonal, lora or bias.")
    private Bake.Form form;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "New or empty folder.")
    private Path out;

    @Option(
            names = "--block",
            paramLabel = "B",
            description = "The block whose direction is taken (needed for orthogonal and lora if the file has several;"
                    + " default of bias: all).")
    private Integer block;

    @Option(names = "--coefficient", paramLabel = "C", description = "bias: how much of the vector (default: 1).")
    private Double coefficient;

    @Option(names = "--f32", description = "Write changed tensors as float32 (default: the type they are stored in).")
    private boolean f32;

    @Option(
            names = "--tolerance",
            paramLabel = "T",
            description =
                    "Largest |difference| / |logits| (default: 1e-4; 3e-2 if changed tensors are rounded to 16 bits).")
    private Double tolerance;

    @Option(names = "--force", description = "Take a vector of another model or for another operation.")
    private boolean force;

    @Mixin
    private ModelOptions options;

    BakeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        VectorFile file = VectorFile.read(vector);
        if (coefficient != null && (form != Bake.Form.BIAS || !Double.isFinite(coefficient) || coefficient == 0)) {
            throw new TillerException("--coefficient " + coefficient + ": expected "
                    + (form == Bake.Form.BIAS ? "a number other than 0" : "it with --as bias only"));
        }
        String needed = form == Bake.Form.BIAS ? "add" : "ablate";
        if (!force && !file.op().equals(needed)) {
            throw new TillerException(vector + ": was made for " + file.op() + ", --as "
                    + form.name().toLowerCase(Locale.ROOT) + " is for " + needed + "; --force takes it all the same");
        }
        try (Model model = options.load(console)) {
            check(file, model);
            Map<Integer, float[]> directions = directions(file);
            SteeringPlan plan = write(model, directions);
            boolean rounded = !f32
                    && form != Bake.Form.LORA
                    && model.checkpoint().tensorNames().stream()
                            .anyMatch(n -> model.checkpoint().tensor(n).dtype() != DType.F32);
            return report(Bake.parity(model, plan, out, p -> Model.load(p, options.loadOptions())), rounded);
        }
    }

    private void check(VectorFile file, Model model) {
        if (!force
                && file.modelFingerprint() != null
                && !file.modelFingerprint().equals(model.fingerprint())) {
            throw new TillerException(vector + ": belongs to another model; --force takes it all the same");
        }
        if (file.content().width() != model.spec().width()) {
            throw new TillerException(vector + ": width " + file.content().width() + ", the model has width "
                    + model.spec().width());
        }
        if (file.content().directions().lastKey() >= model.spec().blocks()) {
            throw new TillerException(vector + ": has a direction for block "
                    + file.content().directions().lastKey() + ", the model has "
                    + model.spec().blocks() + " blocks");
        }
        if (form == Bake.Form.BIAS && file.content().site() != Site.RESID_POST) {
            throw new TillerException(
                    vector + ": is for " + file.content().site().key() + ", a bias acts at resid_post");
        }
    }

    private Map<Integer, float[]> directions(VectorFile file) {
        Map<Integer, float[]> out = new TreeMap<>();
        for (int b : file.content().blocks()) {
            if (block == null || block == b) {
                out.put(b, file.content().at(b));
            }
        }
        if (out.isEmpty()) {
            throw new TillerException(vector + ": has no block " + block + ", only "
                    + file.content().blocks());
        }
        if (form != Bake.Form.BIAS && out.size() > 1) {
            throw new TillerException(vector + ": has directions for " + out.size()
                    + " blocks, and one is removed everywhere; --block B says which");
        }
        return out;
    }

    private SteeringPlan write(Model model, Map<Integer, float[]> directions) {
        DType dtype = f32 ? DType.F32 : null;
        float[] first = directions.values().iterator().next();
        switch (form) {
            case ORTHOGONAL -> Bake.orthogonal(model.checkpoint(), first, dtype, out);
            case LORA -> Bake.lora(model.checkpoint(), first, out);
            case BIAS -> {
                double c = coefficient == null ? 1 : coefficient;
                directions.replaceAll((b, v) -> {
                    float[] shift = v.clone();
                    for (int i = 0; i < shift.length; i++) {
                        shift[i] = (float) (c * v[i]);
                    }
                    return shift;
                });
                Bake.bias(model.checkpoint(), directions, dtype, out);
                return Bake.addition(directions);
            }
        }
        return Bake.ablation(first);
    }

    private int report(Parity parity, boolean rounded) {
        double limit = tolerance != null ? tolerance : rounded ? ROUNDED : EXACT;
        boolean nearer = parity.relative() < parity.unsteered(); // else the steering itself would pass as noise
        boolean ok = parity.relative() <= limit && nearer;
        JsonObject o = new JsonObject();
        o.addProperty("vector", vector.getFileName().toString());
        o.addProperty("form", form.name().toLowerCase(Locale.ROOT));
        o.addProperty("texts", parity.texts());
        o.addProperty("tokens", parity.tokens());
        o.addProperty("relative_difference", parity.relative());
        o.addProperty("largest_difference", parity.largest());
        o.addProperty("effect_of_steering", parity.unsteered());
        o.addProperty("tolerance", limit);
        o.addProperty("ok", ok);
        AtomicFile.writeString(out.resolve("parity.json"), JsonLines.write(o) + "\n");
        console.line(String.format(
                Locale.ROOT,
                "steered and baked logits differ by %.2e of their length (steering changes them by %.2e), at most %.2e each;"
                        + " tolerance %.0e: %s",
                parity.relative(),
                parity.unsteered(),
                parity.largest(),
                limit,
                ok ? "ok" : nearer ? "FAILED" : "FAILED, the unsteered model is as near"));
        return ok ? Main.OK : Main.FAILED;
    }
}
