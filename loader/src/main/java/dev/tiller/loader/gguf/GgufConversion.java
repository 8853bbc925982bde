package dev.tiller.loader.gguf;

import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.DType;
import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Writes the model of a GGUF file as a Hugging Face directory: safetensors under Hugging Face's names, config.json,
 * generation_config.json, tokenizer.json and tokenizer_config.json with the chat template.
 *
 * <p>Tensors are converted a part at a time. The directory is made under another name beside its place
 * ({@code .NAME.partial}) and renamed when all is written and forced to disk: it is complete or absent. A conversion that
 * ended early leaves its complete shards there, and the next one of the same file goes on with them; a model in one shard
 * begins again.
 */
public final class GgufConversion {
    /** Told how far the conversion is; throws to stop it. */
    @FunctionalInterface
    public interface Watch {
        /** Bytes of weights written so far, and in all. */
        void written(long bytes, long total);
    }

    /** How large a shard may become, in bytes: as transformers writes them. */
    static final long SHARD_BYTES = 5_000_000_000L;

    /** What beside the weights needs room on the disk, generously. */
    private static final long MARGIN = 64L << 20;

    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16);

    private final GgufModel model;
    private final DType dtype;
    private final Watch watch;
    private final ShardPlan plan;
    private long written;

    private GgufConversion(GgufModel model, DType dtype, long shardBytes, Watch watch) {
        this.model = model;
        this.dtype = dtype;
        this.watch = watch;
        this.plan = ShardPlan.of(model, dtype, shardBytes);
    }

    /**
     * Converts a file.
     *
     * @param gguf a model that {@link GgufModel#open} takes
     * @param out the directory to make; absent or empty
     * @param dtype F32, F16 or BF16. F32 holds the values of every type of GGUF exactly as they are computed with; the
     *     others round to the nearest, and a value beyond their range is refused with the name of its tensor
     * @return number of bytes of the weights
     */
    public static long convert(Path gguf, Path out, DType dtype, Watch watch) {
        return convert(gguf, out, dtype, SHARD_BYTES, watch);
    }

    /** As above with shards of at most that many bytes, or one tensor. */
    static long convert(Path gguf, Path out, DType dtype, long shardBytes, Watch watch) {
        if (!TYPES.contains(dtype)) {
            throw new TillerException("expected the type f32, f16 or bf16, found " + dtype);
        }
        Path place = out.toAbsolutePath().normalize();
        PartialDirectory.checkPlace(place);
        try (GgufModel model = GgufModel.open(gguf)) {
            GgufConversion conversion = new GgufConversion(model, dtype, shardBytes, watch);
            conversion.run(place);
            return conversion.plan.bytes();
        }
    }

    private void run(Path out) {
        String identity = model.fingerprint() + " " + dtype + " " + plan.names();
        try (PartialDirectory partial = PartialDirectory.open(out, identity)) {
            checkRoom(partial.path());
            for (ShardPlan.Shard shard : plan.shards()) {
                shard(shard, partial.path().resolve(shard.file()));
            }
            plan.writeIndex(partial.path());
            HfFiles.write(model, dtype, partial.path());
            try (Checkpoint made = Checkpoint.open(partial.path())) {
                made.checkShapes();
            }
            partial.complete();
        }
    }

    private void checkRoom(Path directory) {
        long missing = plan.bytes() + MARGIN;
        try {
            for (ShardPlan.Shard shard : plan.shards()) {
                Path file = directory.resolve(shard.file());
                missing -= Files.exists(file) ? Files.size(file) : 0;
            }
            long room = Files.getFileStore(directory).getUsableSpace();
            if (room < missing) {
                throw new TillerException(String.format(
                        Locale.ROOT,
                        "%s: expected room for %,d MB more, found %,d MB free",
                        directory.getParent(),
                        missing >> 20,
                        room >> 20));
            }
        } catch (IOException e) {
            throw new TillerException(directory + ": cannot be read (" + e + ")", e);
        }
    }

    private void shard(ShardPlan.Shard shard, Path file) {
        if (isComplete(shard, file)) {
            progress(written + shard.bytes());
            written += shard.bytes();
            return;
        }
        SafetensorsWriter writer = new SafetensorsWriter().metadata("format", "pt");
        GgufWeights[] held = {null};
        try {
            for (String name : shard.tensors()) {
                writer.add(name, dtype, model.shape(name), () -> next(name, held), bytes -> progress(written + bytes));
            }
            writer.write(file, name -> written += plan.bytes(name));
        } finally {
            release(held);
        }
    }

    /** A tensor; what the one before it needed is given back. */
    private TensorView next(String name, GgufWeights[] held) {
        release(held);
        held[0] = new GgufWeights();
        return model.read(name, held[0]);
    }

    private static void release(GgufWeights[] held) {
        if (held[0] != null) {
            held[0].close();
            held[0] = null;
        }
    }

    private void progress(long bytes) {
        watch.written(bytes, plan.bytes());
    }

    /** Whether the file is this shard, left by a conversion of the same model. */
    private boolean isComplete(ShardPlan.Shard shard, Path file) {
        if (!Files.exists(file)) {
            return false;
        }
        try (Safetensors made = Safetensors.open(file)) {
            return made.tensors().keySet().equals(shard.tensors())
                    && made.tensors().values().stream()
                            .allMatch(t -> t.dtype() == dtype && Arrays.equals(t.shape(), model.shape(t.name())));
        } catch (TillerException e) {
            return false; // not a shard of ours: it is written again
        }
    }
}
