package dev.tiller.loader.gguf;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.DType;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.tokenizer.GgufVocabulary;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The files of a Hugging Face directory beside the weights, from what a GGUF file says. */
final class HfFiles {
    /** With nulls: where a key is absent some families have a value of their own. */
    private static final Gson GSON = new GsonBuilder()
            .setPrettyPrinting()
            .disableHtmlEscaping()
            .serializeNulls()
            .create();

    private HfFiles() {}

    /** Writes config.json, generation_config.json and, if the file has a tokenizer, its files. */
    static void write(GgufModel model, DType dtype, Path directory) {
        JsonObject config = model.huggingFaceConfig();
        config.addProperty("torch_dtype", torchName(dtype));
        write(config, directory.resolve("config.json"));
        write(generationConfig(model.config()), directory.resolve("generation_config.json"));
        if (model.hasTokenizer()) {
            GgufVocabulary vocabulary = model.vocabulary();
            vocabulary.writeTokenizerJson(directory.resolve("tokenizer.json"));
            write(tokenizerConfig(model, vocabulary), directory.resolve("tokenizer_config.json"));
        }
    }

    private static void write(JsonObject json, Path file) {
        AtomicFile.writeString(file, GSON.toJson(json) + "\n");
    }

    /** The name of the type in PyTorch. */
    private static String torchName(DType dtype) {
        return switch (dtype) {
            case F32 -> "float32";
            case F16 -> "float16";
            case BF16 -> "bfloat16";
            default -> throw new IllegalArgumentException(dtype.name().toLowerCase(Locale.ROOT));
        };
    }

    private static JsonObject generationConfig(ModelConfig config) {
        JsonObject json = new JsonObject();
        if (config.bosId() >= 0) {
            json.addProperty("bos_token_id", config.bosId());
        }
        List<Integer> ends = config.eosIds();
        if (!ends.isEmpty()) {
            json.add("eos_token_id", ends.size() == 1 ? GSON.toJsonTree(ends.getFirst()) : GSON.toJsonTree(ends));
        }
        if (config.padId() >= 0) {
            json.addProperty("pad_token_id", config.padId());
        }
        return json;
    }

    /** The class is the one that takes tokenizer.json as it is; others would build parts of it anew. */
    private static JsonObject tokenizerConfig(GgufModel model, GgufVocabulary vocabulary) {
        JsonObject json = new JsonObject();
        json.addProperty("tokenizer_class", "PreTrainedTokenizerFast");
        new TreeMap<>(model.specialTokens()).forEach(json::addProperty);
        json.addProperty("add_bos_token", vocabulary.addBos());
        json.addProperty("add_eos_token", vocabulary.addEos());
        json.addProperty("clean_up_tokenization_spaces", false);
        json.addProperty("model_max_length", model.config().maxPositions());
        Map<String, String> templates = model.chatTemplates();
        if (!templates.isEmpty()) {
            json.add("chat_template", chatTemplate(templates));
        }
        return json;
    }

    /** A text if there is one, else a list of named texts. */
    private static JsonElement chatTemplate(Map<String, String> templates) {
        if (templates.keySet().equals(Set.of("default"))) {
            return GSON.toJsonTree(templates.get("default"));
        }
        JsonArray list = new JsonArray();
        templates.forEach((name, text) -> {
            JsonObject template = new JsonObject();
            template.addProperty("name", name);
            template.addProperty("template", text);
            list.add(template);
        });
        return list;
    }
}
