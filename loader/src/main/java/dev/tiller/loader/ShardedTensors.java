package dev.tiller.loader;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * All tensors of a Hugging Face directory: model.safetensors, or the shards that model.safetensors.index.json lists.
 * Index and shards must agree exactly.
 */
final class ShardedTensors implements AutoCloseable {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    private final List<Safetensors> files = new ArrayList<>();
    private final Map<String, TensorView> tensors = new TreeMap<>();

    private ShardedTensors() {}

    /** Opens the weights of a directory; as in transformers a single file goes before an index. */
    static ShardedTensors open(Path directory) {
        ShardedTensors out = new ShardedTensors();
        try {
            if (Files.exists(directory.resolve(SINGLE))) {
                out.tensors.putAll(out.file(directory.resolve(SINGLE)).tensors());
            } else if (Files.exists(directory.resolve(INDEX))) {
                out.shards(directory.resolve(INDEX));
            } else {
                throw new TillerException(directory + ": no weights, expected " + SINGLE + " or " + INDEX);
            }
            return out;
        } catch (RuntimeException e) {
            out.close();
            throw e;
        }
    }

    /** By name, sorted. */
    Map<String, TensorView> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    private Safetensors file(Path path) {
        Safetensors file = Safetensors.open(path);
        files.add(file);
        return file;
    }

    private void shards(Path index) {
        Map<String, String> shardOf = weightMap(index);
        for (String shard : new TreeSet<>(shardOf.values())) {
            Path path = index.resolveSibling(shard);
            if (!Files.exists(path)) {
                throw new TillerException(index + ": shard " + Messages.quote(shard) + " is missing beside it");
            }
            for (TensorView tensor : file(path).tensors().values()) {
                String listed = shardOf.get(tensor.name());
                if (!shard.equals(listed)) {
                    throw new TillerException(index + ": expected tensor " + Messages.quote(tensor.name()) + " in "
                            + Messages.quote(shard) + ", where it is, found "
                            + (listed == null ? "no entry" : Messages.quote(listed)));
                }
                tensors.put(tensor.name(), tensor);
            }
        }
        shardOf.forEach((name, shard) -> {
            if (!tensors.containsKey(name)) {
                throw new TillerException(index + ": tensor " + Messages.quote(name) + " is listed in "
                        + Messages.quote(shard) + ", which lacks it");
            }
        });
    }

    private static Map<String, String> weightMap(Path index) {
        String source = index.toString();
        JsonObject map = Json.object(Json.readObject(index), "weight_map", source);
        if (map.isEmpty()) {
            throw new TillerException(source + ": key \"weight_map\": expected tensors, found none");
        }
        Map<String, String> out = new TreeMap<>();
        for (Map.Entry<String, JsonElement> entry : map.entrySet()) {
            String shard = Json.string(map, entry.getKey(), source + ": weight_map");
            // Only plain names: an index must not make us read files elsewhere.
            if (!shard.endsWith(".safetensors") || shard.chars().anyMatch(c -> c == '/' || c == '\\' || c < ' ')) {
                String expected = "the plain name of a .safetensors file in the same directory";
                throw Json.wrong(entry.getKey(), expected, entry.getValue(), source + ": weight_map");
            }
            out.put(entry.getKey(), shard);
        }
        return out;
    }

    @Override
    public void close() {
        files.forEach(Safetensors::close);
    }
}
