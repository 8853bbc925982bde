package dev.tiller.loader.gguf;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.DType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Which tensor of a model goes into which safetensors file. */
final class ShardPlan {
    /** A file, its tensors and their bytes. */
    record Shard(String file, Set<String> tensors, long bytes) {}

    private final Map<String, Long> sizes = new LinkedHashMap<>();
    private final List<Shard> shards = new ArrayList<>();
    private long bytes;

    private ShardPlan() {}

    /** In the order of the model, each file as full as {@code limit} allows, but with one tensor at least. */
    static ShardPlan of(GgufModel model, DType dtype, long limit) {
        ShardPlan plan = new ShardPlan();
        List<Set<String>> files = new ArrayList<>();
        long inLast = 0;
        for (String name : model.tensorNames()) {
            long size = dtype.bits() / Byte.SIZE;
            for (long dimension : model.shape(name)) {
                size *= dimension;
            }
            if (files.isEmpty() || inLast + size > limit) {
                files.add(new LinkedHashSet<>());
                inLast = 0;
            }
            files.getLast().add(name);
            inLast += size;
            plan.sizes.put(name, size);
            plan.bytes += size;
        }
        for (int i = 0; i < files.size(); i++) {
            String file = files.size() == 1
                    ? "model.safetensors"
                    : String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, files.size());
            long sum = files.get(i).stream().mapToLong(plan.sizes::get).sum();
            plan.shards.add(new Shard(file, files.get(i), sum));
        }
        return plan;
    }

    List<Shard> shards() {
        return shards;
    }

    /** Bytes of all tensors. */
    long bytes() {
        return bytes;
    }

    /** Bytes of one tensor. */
    long bytes(String tensor) {
        return sizes.get(tensor);
    }

    /** Names of the files. */
    List<String> names() {
        return shards.stream().map(Shard::file).toList();
    }

    /** Writes model.safetensors.index.json, if there is more than one file. */
    void writeIndex(Path directory) {
        if (shards.size() == 1) {
            return;
        }
        JsonObject metadata = new JsonObject();
        metadata.addProperty("total_size", bytes);
        JsonObject map = new JsonObject();
        for (Shard shard : shards) {
            shard.tensors().forEach(name -> map.addProperty(name, shard.file()));
        }
        JsonObject index = new JsonObject();
        index.add("metadata", metadata);
        index.add("weight_map", map);
        String text = new GsonBuilder().setPrettyPrinting().create().toJson(index);
        AtomicFile.writeString(directory.resolve("model.safetensors.index.json"), text + "\n");
    }
}
