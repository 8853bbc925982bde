package dev.tiller.loader.hub;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Which files of a repository a model needs: one format of its weights, and what stands beside them. */
final class Selection {
    static final String CONFIG = "config.json";
    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    /** Files beside the weights, taken if they are there. */
    private static final Set<String> COMPANIONS = Set.of(
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "tokenizer.model",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "vocab.txt",
            "merges.txt",
            "chat_template.jinja",
            "chat_template.json");

    private static final Pattern PICKLES = Pattern.compile(".*\\.(bin|pt|pth|ckpt|pkl)");
    private static final Pattern OTHERS = Pattern.compile(".*\\.(safetensors|msgpack|h5|onnx|npz|tflite|nemo)");
    private static final Pattern PART = Pattern.compile(".*-\\d{5}-of-\\d{5}\\.gguf");
    private static final int MAX_SHOWN = 30;

    private Selection() {}

    /**
     * The files of a model; with {@link #INDEX} among them also the shards that the index names.
     *
     * @param files all files of the repository
     * @param wanted a .gguf file that the user named, null for none
     * @param id for messages
     */
    static List<String> of(List<String> files, String wanted, HubId id) {
        if (wanted != null) {
            return List.of(whole(named(files, wanted, id), id));
        }
        boolean safetensors = files.contains(SINGLE) || files.contains(INDEX);
        if (safetensors && files.contains(CONFIG)) {
            List<String> out = new ArrayList<>();
            out.add(CONFIG);
            files.stream().filter(COMPANIONS::contains).sorted().forEach(out::add);
            out.add(files.contains(SINGLE) ? SINGLE : INDEX);
            return out;
        }
        List<String> ggufs = models(files);
        if (ggufs.size() == 1) {
            return List.of(whole(ggufs.getFirst(), id));
        }
        if (ggufs.size() > 1) {
            throw new TillerException(
                    id.repo() + ": holds " + ggufs.size() + " GGUF files; name one with --file: " + shown(ggufs));
        }
        throw nothing(files, safetensors, id);
    }

    /** The .gguf files that are models: not parts for pictures, not statistics for quantising. */
    static List<String> models(Collection<String> files) {
        return files.stream()
                .filter(HubId::isGguf)
                .filter(f -> {
                    String name = f.substring(f.lastIndexOf('/') + 1).toLowerCase(Locale.ROOT);
                    return !name.startsWith("mmproj") && !name.contains("imatrix");
                })
                .sorted()
                .toList();
    }

    private static String named(List<String> files, String wanted, HubId id) {
        if (!HubId.isGguf(wanted)) {
            throw new TillerException("--file " + wanted + ": expected the name of a .gguf file");
        }
        Optional<String> file = named(files, wanted);
        if (file.isPresent()) {
            return file.get();
        }
        List<String> ggufs = models(files);
        String found = ggufs.isEmpty() ? "no GGUF file" : shown(Messages.closest(wanted, ggufs));
        throw new TillerException(id.repo() + ": expected file " + Messages.quote(wanted) + ", found " + found
                + (ggufs.size() > 3 ? ", ..." : ""));
    }

    /** The file of that path, or the only one of that name in some folder. */
    static Optional<String> named(List<String> files, String wanted) {
        List<String> inFolders =
                files.stream().filter(f -> f.endsWith("/" + wanted)).toList();
        if (files.contains(wanted)) {
            return Optional.of(wanted);
        }
        return inFolders.size() == 1 ? Optional.of(inFolders.getFirst()) : Optional.empty();
    }

    private static String whole(String file, HubId id) {
        if (PART.matcher(file).matches()) {
            throw new TillerException(id.repo() + ": expected a model in one GGUF file, found " + Messages.quote(file)
                    + ", one of several parts");
        }
        return file;
    }

    private static TillerException nothing(List<String> files, boolean safetensors, HubId id) {
        if (safetensors) {
            return new TillerException(id.repo() + ": expected config.json beside the weights, found none");
        }
        String expected = id.repo() + ": expected weights as " + SINGLE + ", " + INDEX + " or .gguf, found ";
        List<String> pickles =
                files.stream().filter(f -> PICKLES.matcher(f).matches()).toList();
        if (!pickles.isEmpty()) {
            return new TillerException(expected + "them only as pickles (" + shown(pickles)
                    + "), which can run programs when they are read and are therefore refused");
        }
        List<String> others =
                files.stream().filter(f -> OTHERS.matcher(f).matches()).toList();
        return new TillerException(expected + (others.isEmpty() ? "none" : shown(others)));
    }

    /** The shards that an index names, sorted. */
    static List<String> shards(JsonObject index, String source) {
        JsonObject map = Json.object(index, "weight_map", source);
        TreeSet<String> out = new TreeSet<>();
        for (Map.Entry<String, JsonElement> entry : map.entrySet()) {
            String shard = Json.string(map, entry.getKey(), source + ": weight_map");
            if (!shard.endsWith(".safetensors") || shard.contains("/") || !RepoNames.isPlain(shard)) {
                String expected = "the plain name of a .safetensors file in the same directory";
                throw Json.wrong(entry.getKey(), expected, entry.getValue(), source + ": weight_map");
            }
            out.add(shard);
        }
        if (out.isEmpty()) {
            throw new TillerException(source + ": key \"weight_map\": expected tensors, found none");
        }
        return List.copyOf(out);
    }

    private static String shown(List<String> files) {
        List<String> quoted =
                files.stream().limit(MAX_SHOWN).map(Messages::oneLine).toList();
        return String.join(", ", quoted) + (files.size() > MAX_SHOWN ? ", ..." : "");
    }
}
