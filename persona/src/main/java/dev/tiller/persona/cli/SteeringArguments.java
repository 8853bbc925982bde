package dev.tiller.persona.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.AppliedPlan;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.Probe;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.VectorResolver;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;

/** Steering from the command line: a plan file, a shorthand, or both together. */
final class SteeringArguments {
    private static final Pattern SHORT = Pattern.compile("(.+):([^:@]+)@([^:@]+)", Pattern.DOTALL);

    @Option(names = "--steering", paramLabel = "PLAN", description = "Steering plan (JSON).")
    private Path planFile;

    @Option(
            names = "--steer",
            paramLabel = "VECTOR:COEF@BLOCK",
            description =
                    "Add COEF times a vector at the output of BLOCK while answering. VECTOR is a file or the name of"
                            + " one in this folder; BLOCK counts from 0, or from the end if negative. May be repeated.")
    private List<String> shorthands = new ArrayList<>();

    @Option(
            names = "--force",
            description = "Use vectors that were made for another model or another operation; their width must fit.")
    private boolean force;

    /** Everything asked for, checked against the model. */
    SteeringPlan plan(Model model) {
        List<Edit> edits = new ArrayList<>();
        if (planFile != null) {
            edits.addAll(readPlan(planFile, force).edits());
        }
        for (String text : shorthands) {
            Matcher m = SHORT.matcher(text);
            if (!m.matches()) {
                throw new TillerException(
                        "--steer " + text + ": expected VECTOR:COEF@BLOCK, for example cheerful.safetensors:1.5@4");
            }
            int block = block(m.group(3), model, "--steer " + text);
            String where = "--steer " + text;
            edits.addAll(add(m.group(1), coefficient(m.group(2), where), block, where, force)
                    .edits());
        }
        SteeringPlan plan = new SteeringPlan(edits);
        model.check(plan);
        return plan;
    }

    /** What to watch: "VECTOR@BLOCK", the vector a file or the name of one in this folder. */
    static Probe probe(String text, Model model) {
        int at = text.lastIndexOf('@');
        if (at < 1) {
            throw new TillerException(
                    "--watch " + text + ": expected VECTOR@BLOCK, for example cheerful.safetensors@4");
        }
        int block = block(text.substring(at + 1), model, "--watch " + text);
        // To watch a direction is no operation, so any vector will do.
        SteeringPlan plan = parse(
                addition(text.substring(0, at), 1, block),
                "--watch " + text,
                new VectorStore(Path.of("")).forAnyOperation());
        model.check(plan);
        return new Probe(block, plan.edits().getFirst().vector().at(Site.RESID_POST, block));
    }

    /**
     * Reads a plan; its vectors are looked for beside it and in the working directory.
     *
     * @param force take vectors of another model or for another operation
     */
    static SteeringPlan readPlan(Path file, boolean force) {
        Path folder = file.toAbsolutePath().getParent();
        try {
            String json = Files.readString(file);
            return checked(json, file.toString(), new VectorStore(folder, Path.of("")), force);
        } catch (IOException e) {
            throw new TillerException("--steering " + file + ": " + Messages.reason(e), e);
        }
    }

    /** One additive edit at the output of one block, over the answer. */
    static SteeringPlan add(String vector, double coefficient, int block, String source, boolean force) {
        return checked(addition(vector, coefficient, block), source, new VectorStore(Path.of("")), force);
    }

    /** The vectors of --force are bound neither to a model nor to an operation; those of others to both. */
    private static SteeringPlan checked(String json, String source, VectorStore store, boolean force) {
        return parse(json, source, force ? store.forced() : store);
    }

    private static SteeringPlan parse(String json, String source, VectorResolver vectors) {
        return SteeringPlan.parse(json, source, vectors);
    }

    private static String addition(String vector, double coefficient, int block) {
        JsonObject edit = new JsonObject();
        edit.addProperty("op", "add");
        if (vector.endsWith(".safetensors") || vector.contains("/")) {
            JsonObject file = new JsonObject();
            file.addProperty("file", vector);
            edit.add("vector", file);
        } else {
            edit.addProperty("vector", vector);
        }
        JsonArray blocks = new JsonArray();
        blocks.add(block);
        edit.add("blocks", blocks);
        edit.addProperty("coefficient", coefficient);
        JsonArray edits = new JsonArray();
        edits.add(edit);
        JsonObject plan = new JsonObject();
        plan.add("edits", edits);
        return plan.toString();
    }

    /** Says which edits of a plan did nothing to a text, so that nobody takes it for steered. */
    static void noteIdle(AppliedPlan applied, Consumer<String> note) {
        for (AppliedPlan.AppliedEdit a : applied.edits()) {
            String what = a.edit().op().key() + " of \"" + a.edit().vector().name() + "\" did nothing here: ";
            if (a.edit().isIdle()) {
                note.accept(what + "its coefficient or strength is 0");
            } else if (!a.fired()) {
                note.accept(
                        what + String.format(Locale.ROOT, "its condition measured %.3g on the prompt", a.measured()));
            } else if (a.positions() == 0) {
                note.accept(what + "no position of this text is in its span "
                        + a.edit().span() + " and schedule");
            }
        }
    }

    /** True if vectors of another model or operation are to be used. */
    boolean force() {
        return force;
    }

    static double coefficient(String text, String where) {
        try {
            double c = Double.parseDouble(text.strip());
            if (Double.isFinite(c)) {
                return c;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new TillerException(where + ": \"" + text + "\" is not a number");
    }

    /** A block of the model; a negative number counts from the end. */
    static int block(String text, Model model, String where) {
        int blocks = model.spec().blocks();
        int block;
        try {
            block = Integer.parseInt(text.strip());
        } catch (NumberFormatException e) {
            throw new TillerException(where + ": \"" + text + "\" is not a block number", e);
        }
        int resolved = block < 0 ? block + blocks : block;
        if (resolved < 0 || resolved >= blocks) {
            throw new TillerException(where + ": block " + block + " is out of range; the model has blocks 0.."
                    + (blocks - 1) + " (-" + blocks + "..-1 from the end)");
        }
        return resolved;
    }
}
