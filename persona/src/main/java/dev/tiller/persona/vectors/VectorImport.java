package dev.tiller.persona.vectors;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.gguf.Gguf;
import dev.tiller.loader.torch.TorchFile;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Vectors of other tools in our form: values bit for bit (float64 is rounded, which is said), layers converted to blocks
 * once and here. What would have to be guessed is asked for.
 *
 * @param content for {@link VectorFile#write(Path, VectorContent)}
 * @param tool who wrote the file
 * @param notes what was left out, flagged or rounded, one line each
 */
public record VectorImport(VectorContent content, Tool tool, List<String> notes) {
    /** Reads a file of another tool. Every refusal names the file. */
    public static VectorImport read(Path path, ImportOptions options) {
        if (!Files.isRegularFile(path)) {
            throw new TillerException(path + ": " + (Files.exists(path) ? "not a file" : "no such file"));
        }
        try {
            return imported(path, options);
        } catch (TillerException e) {
            String message = e.getMessage();
            throw message.startsWith(path + ": ") ? e : new TillerException(path + ": " + message, e);
        }
    }

    private static VectorImport imported(Path path, ImportOptions options) {
        Tool.Kind kind = kind(path);
        Tool from = options.from();
        if (from != null && !Tool.writing(kind).contains(from)) {
            throw new TillerException("--from " + from.key() + ": that tool writes no such files; expected one of "
                    + Tool.names(Tool.writing(kind)));
        }
        Draft draft = switch (kind) {
            case TORCH -> TorchImport.read(path, options);
            case GGUF -> GgufImport.read(path, options);
            case SVEC -> SvecImport.read(path);
            case SAFETENSORS -> SafetensorsImport.read(path, options);
        };
        if (draft.directions.isEmpty()) {
            throw new TillerException("expected a direction for at least one block, found none"
                    + (draft.extras.isEmpty() ? "" : " but " + draft.extras.keySet()));
        }
        if (options.op() != null) {
            draft.op = options.op();
        }
        VectorContent content =
                new VectorContent(draft.op, draft.site, draft.directions, draft.extras, metadata(path, draft, options));
        if (options.model() != null) {
            checkModel(
                    content,
                    options.model().spec().blocks(),
                    options.model().spec().width());
        }
        return new VectorImport(content, draft.tool, List.copyOf(draft.notes));
    }

    private static void checkModel(VectorContent content, int blocks, int width) {
        if (content.width() != width) {
            throw new TillerException("width " + content.width() + ", the model has width " + width);
        }
        if (content.directions().lastKey() >= blocks) {
            throw new TillerException("it has a direction for block "
                    + content.directions().lastKey() + ", the model has blocks 0.." + (blocks - 1));
        }
    }

    /** By the name's ending, or by what the file begins with. */
    private static Tool.Kind kind(Path path) {
        String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".pt") || name.endsWith(".pth")) {
            return Tool.Kind.TORCH;
        }
        if (name.endsWith(".gguf")) {
            return Tool.Kind.GGUF;
        }
        if (name.endsWith(".svec") || name.endsWith(".json")) {
            return Tool.Kind.SVEC;
        }
        if (name.endsWith(".safetensors")) {
            return Tool.Kind.SAFETENSORS;
        }
        try (InputStream in = Files.newInputStream(path)) {
            String magic = new String(in.readNBytes(4), java.nio.charset.StandardCharsets.ISO_8859_1);
            if (magic.equals("GGUF")) {
                return Tool.Kind.GGUF;
            }
            if (magic.equals("PK\3\4")) {
                return Tool.Kind.TORCH;
            }
        } catch (IOException e) {
            throw new TillerException("cannot be read (" + e + ")", e);
        }
        throw new TillerException("expected a file .pt, .gguf, .svec or .safetensors");
    }

    private static Map<String, String> metadata(Path path, Draft draft, ImportOptions options) {
        Map<String, String> m = new LinkedHashMap<>();
        m.put("units", draft.tool.units());
        m.put("alpha", "{\"default\":1.0}");
        m.put("trait", stem(path));
        if (options.model() != null) {
            m.putAll(VectorFile.modelMetadata(options.model()));
        } else {
            draft.model.addProperty("hidden_size", draft.directions.get(draft.directions.firstKey())[0].length);
            m.put("model", draft.model.toString());
        }
        m.put("positions", "unknown");
        m.put("method", "{\"name\":\"unknown\"}");
        m.putAll(draft.metadata);
        if (options.name() != null) {
            m.put("trait", options.name());
        }
        JsonObject source = new JsonObject();
        source.addProperty("file", path.getFileName().toString());
        source.addProperty("sha256", Provenance.sha256(path));
        source.addProperty("tool", draft.tool.key());
        source.addProperty("layers", draft.layers);
        JsonArray notes = new JsonArray();
        draft.notes.forEach(notes::add);
        source.add("notes", notes);
        source.add("details", draft.source);
        m.put("source", source.toString());
        m.put("statistics", Provenance.statistics(draft.directions).toString());
        m.putAll(Provenance.origin());
        return m;
    }

    private static String stem(Path path) {
        String name = path.getFileName().toString();
        int dot = name.lastIndexOf('.');
        return dot > 0 ? name.substring(0, dot) : name;
    }

    /**
     * Checks a file of another tool as far as it can be checked without knowing who wrote it: its container is sound, and
     * what claims to be a control vector is one.
     *
     * @return what it holds, in one line
     */
    public static String inspect(Path path) {
        try {
            return switch (kind(path)) {
                case TORCH -> {
                    try (TorchFile file = TorchFile.open(path)) {
                        yield "torch file, tensors: " + file.tensors().size();
                    }
                }
                case GGUF -> {
                    try (Gguf file = Gguf.open(path)) {
                        if (GgufImport.looksLike(file)) {
                            GgufImport.read(path, ImportOptions.from(null));
                        }
                        yield "GGUF file, tensors: " + file.tensors().size();
                    }
                }
                case SVEC -> {
                    SvecImport.read(path);
                    yield "directions of CAST or AISteer360";
                }
                case SAFETENSORS -> "safetensors file";
            };
        } catch (TillerException e) {
            String message = e.getMessage();
            throw message.startsWith(path + ": ") ? e : new TillerException(path + ": " + message, e);
        }
    }

    /** True if the file is a GGUF file that claims to hold a control vector; an unsound container is an error. */
    public static boolean isControlVector(Path path) {
        try (Gguf file = Gguf.open(path)) {
            return GgufImport.looksLike(file);
        }
    }
}
