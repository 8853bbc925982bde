package dev.tiller.persona.bake;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.Span;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.DType;
import dev.tiller.loader.Json;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Writes steering into a model's weights, for programs that cannot steer, and compares the result with the steered model.
 */
public final class Bake {
    /** What is written. */
    public enum Form {
        /** A checkpoint without the direction: ablation at the embedding and at every attention and MLP output. */
        ORTHOGONAL,
        /** A checkpoint with c v on the bias of an MLP: addition at the outputs of blocks. */
        BIAS,
        /** A PEFT adapter of rank 1: the same ablation, the base model unchanged. */
        LORA
    }

    private static final Gson GSON = new GsonBuilder()
            .setPrettyPrinting()
            .serializeNulls()
            .disableHtmlEscaping()
            .create();

    private static final String WEIGHTS = "model.safetensors";
    private static final String ADAPTER = "adapter_model.safetensors";
    private static final String PREFIX = "base_model.model.";

    private Bake() {}

    /**
     * Removes a direction from everything that writes to the residual stream.
     *
     * @param direction [d]
     * @param dtype of the tensors that change: F32, or null for the stored one
     * @param out an empty or new folder
     */
    public static void orthogonal(Checkpoint model, float[] direction, DType dtype, Path out) {
        checkpoint(model, new BakedWeights(model).orthogonal(direction, dtype), "tie_word_embeddings", false, out);
    }

    /** Adds a shift [d] to the output of each of those blocks. */
    public static void bias(Checkpoint model, Map<Integer, float[]> shifts, DType dtype, Path out) {
        checkpoint(model, new BakedWeights(model).biased(shifts, dtype), "mlp_bias", true, out);
    }

    private static void checkpoint(
            Checkpoint model, Map<String, TensorView> changed, String key, boolean value, Path out) {
        Path source = folder(model);
        create(out);
        SafetensorsWriter writer = new SafetensorsWriter().metadata("format", "pt");
        for (String name : model.tensorNames()) {
            if (!changed.containsKey(name)) {
                writer.add(model.tensor(name));
            }
        }
        changed.forEach((name, t) -> writer.add(new TensorView(name, t.dtype(), t.shape(), t.data(), t.source())));
        writer.write(out.resolve(WEIGHTS));
        companions(source, out);
        JsonObject config = Json.readObject(source.resolve("config.json"));
        config.addProperty(key, value);
        AtomicFile.writeString(out.resolve("config.json"), GSON.toJson(config) + "\n");
    }

    /** The same ablation as an adapter: W + B A with A = uT W and B = -u. */
    public static void lora(Checkpoint model, float[] direction, Path out) {
        BakedWeights weights = new BakedWeights(model);
        if (!weights.writerBiases().isEmpty()) {
            throw new TillerException(
                    "the model has biases that write to the residual stream, and an adapter cannot change"
                            + " them; --as orthogonal can");
        }
        folder(model);
        create(out);
        float[] u = Vectors.unit(direction, "direction");
        float[] minus = new float[u.length];
        for (int i = 0; i < u.length; i++) {
            minus[i] = -u[i];
        }
        SafetensorsWriter writer = new SafetensorsWriter().metadata("format", "pt");
        List<String> names = new ArrayList<>(weights.writers());
        for (String name : names) {
            float[] a = weights.factor(name, u);
            writer.add(PREFIX + module(name) + ".lora_A.weight", new long[] {1, a.length}, a);
            writer.add(PREFIX + module(name) + ".lora_B.weight", new long[] {u.length, 1}, minus);
        }
        float[] e = weights.factor(weights.embedding(), u);
        String embedding = PREFIX + module(weights.embedding());
        writer.add(embedding + ".lora_embedding_A", new long[] {1, e.length}, e);
        writer.add(embedding + ".lora_embedding_B", new long[] {u.length, 1}, minus);
        writer.write(out.resolve(ADAPTER));
        JsonObject config = new JsonObject();
        config.addProperty("peft_type", "LORA");
        config.addProperty("task_type", "CAUSAL_LM");
        config.addProperty("base_model_name_or_path", model.name());
        config.addProperty("r", 1);
        config.addProperty("lora_alpha", 1);
        config.addProperty("lora_dropout", 0.0);
        config.addProperty("bias", "none");
        config.addProperty("fan_in_fan_out", false);
        config.addProperty("inference_mode", true);
        JsonArray targets = new JsonArray();
        Stream.concat(names.stream(), Stream.of(weights.embedding()))
                .map(n -> module(n).replaceFirst(".*\\.", ""))
                .distinct()
                .forEach(targets::add);
        config.add("target_modules", targets);
        AtomicFile.writeString(out.resolve("adapter_config.json"), GSON.toJson(config) + "\n");
    }

    /** A checkpoint with an adapter's products added to its matrices, for comparison. */
    static void merge(Checkpoint model, Path adapter, Path out) {
        BakedWeights weights = new BakedWeights(model);
        Map<String, TensorView> changed = new HashMap<>(weights.orthogonal(anyDirection(weights, model), DType.F32));
        try (Safetensors file = Safetensors.open(adapter.resolve(ADAPTER))) {
            for (String name : weights.writers()) {
                String module = PREFIX + module(name);
                float[] a = file.tensor(module + ".lora_A.weight").toFloats();
                float[] b = file.tensor(module + ".lora_B.weight").toFloats();
                changed.put(name, product(model.tensor(name), b, a));
            }
            String module = PREFIX + module(weights.embedding());
            float[] a = file.tensor(module + ".lora_embedding_A").toFloats();
            float[] b = file.tensor(module + ".lora_embedding_B").toFloats();
            changed.put(weights.embedding(), product(model.tensor(weights.embedding()), a, b));
        }
        checkpoint(model, changed, "tie_word_embeddings", false, out);
    }

    /** Only for the list of what changes; every entry but an untied head is replaced. */
    private static float[] anyDirection(BakedWeights weights, Checkpoint model) {
        float[] out = new float[model.tensor(weights.embedding()).columns()];
        out[0] = 1;
        return out;
    }

    /** W + rows x columns, in float32. */
    private static TensorView product(TensorView w, float[] rows, float[] columns) {
        float[] out = w.toFloats();
        for (int r = 0; r < rows.length; r++) {
            for (int c = 0; c < columns.length; c++) {
                out[r * columns.length + c] += rows[r] * columns[c];
            }
        }
        java.nio.ByteBuffer bytes =
                java.nio.ByteBuffer.allocate(4 * out.length).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(out);
        return new TensorView(
                w.name(), DType.F32, w.shape(), java.lang.foreign.MemorySegment.ofArray(bytes.array()), w.source());
    }

    private static String module(String tensor) {
        return tensor.substring(0, tensor.length() - ".weight".length());
    }

    private static Path folder(Checkpoint model) {
        if (!Files.isDirectory(model.path())) {
            throw new TillerException(model.path() + ": is no Hugging Face directory; only such a model can be baked");
        }
        return model.path();
    }

    private static void create(Path out) {
        try {
            Files.createDirectories(out);
            try (Stream<Path> files = Files.list(out)) {
                if (files.findAny().isPresent()) {
                    throw new TillerException("--out " + out + ": is not empty");
                }
            }
        } catch (IOException e) {
            throw new TillerException("--out " + out + ": cannot be made (" + e + ")", e);
        }
    }

    /** Tokenizer, template and the like: everything but weights and configuration. */
    private static void companions(Path from, Path to) {
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = file.getFileName().toString();
                boolean weights = name.matches(".*\\.(safetensors|safetensors\\.index\\.json|bin|pt|pth|gguf)");
                if (!weights && !name.equals("config.json")) {
                    Files.copy(file, to.resolve(name));
                }
            }
        } catch (IOException e) {
            throw new TillerException(to + ": cannot be written (" + e + ")", e);
        }
    }

    // ---- the plans that the baked weights stand for ----

    /** What {@link #orthogonal} and {@link #lora} do, as a plan. */
    public static SteeringPlan ablation(float[] direction) {
        SteeringVector v = SteeringVector.uniform("direction", direction);
        return SteeringPlan.of(
                Edit.ablate(v).at(Site.RESID_PRE, Site.ATTN_OUT, Site.MLP_OUT).over(Span.ALL));
    }

    /** What {@link #bias} does, as a plan. */
    public static SteeringPlan addition(Map<Integer, float[]> shifts) {
        SteeringVector v = SteeringVector.residPost("shift", shifts);
        int[] blocks = shifts.keySet().stream().mapToInt(b -> b).sorted().toArray();
        return SteeringPlan.of(Edit.add(v, 1, blocks).over(Span.ALL));
    }

    /**
     * Compares the logits of the steered model with those of the baked one, unsteered.
     *
     * @param baked folder of a checkpoint, or of an adapter (which is merged in a temporary folder)
     * @param load loads a model
     */
    public static Parity parity(Model steered, SteeringPlan plan, Path baked, Function<Path, Model> load) {
        if (!Files.exists(baked.resolve(ADAPTER))) {
            return Parity.of(steered, plan, baked, load);
        }
        Path merged = null;
        try {
            merged = Files.createTempDirectory("tiller-merged");
            merge(steered.checkpoint(), baked, merged);
            return Parity.of(steered, plan, merged, load);
        } catch (IOException e) {
            throw new TillerException("no temporary folder for the merged adapter (" + e + ")", e);
        } finally {
            delete(merged);
        }
    }

    private static void delete(Path folder) {
        if (folder == null) {
            return;
        }
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(folder);
        } catch (IOException e) {
            return; // a leftover in the folder for temporary files
        }
    }
}
