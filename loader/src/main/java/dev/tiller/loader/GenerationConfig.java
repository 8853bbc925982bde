package dev.tiller.loader;

import com.google.gson.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.DoublePredicate;

/**
 * How the model's makers want it sampled (generation_config.json). A value they do not give is null.
 *
 * @param eosIds tokens that end a generation; those of config.json where the file names none; may be empty
 * @param temperature 0 or more
 * @param topK number of candidates kept; 0 = all
 * @param topP probability mass kept, (0, 1]
 * @param minP least probability relative to the best candidate, [0, 1]
 * @param repetitionPenalty above 0; 1 = none
 * @param doSample false = greedy
 * @param maxNewTokens above 0
 */
public record GenerationConfig(
        List<Integer> eosIds,
        Double temperature,
        Integer topK,
        Double topP,
        Double minP,
        Double repetitionPenalty,
        Boolean doSample,
        Integer maxNewTokens) {

    public GenerationConfig {
        eosIds = List.copyOf(eosIds);
    }

    /** What holds without a generation_config.json: the end tokens of config.json and nothing else. */
    public static GenerationConfig of(ModelConfig config) {
        return new GenerationConfig(config.eosIds(), null, null, null, null, null, null, null);
    }

    /** Reads the file, or falls back to {@link #of} if there is none. */
    public static GenerationConfig read(Path generationConfigJson, ModelConfig config) {
        if (!Files.exists(generationConfigJson)) {
            return of(config);
        }
        return parse(Json.readObject(generationConfigJson), generationConfigJson.toString(), config);
    }

    /** As {@link #read}, from parsed JSON; {@code source} names the file in errors. */
    public static GenerationConfig parse(JsonObject json, String source, ModelConfig config) {
        return new GenerationConfig(
                eosIds(json, source, config),
                number(json, "temperature", "0 or more", t -> t >= 0, source),
                whole(json, "top_k", 0, source),
                number(json, "top_p", "above 0 and at most 1", p -> p > 0 && p <= 1, source),
                number(json, "min_p", "from 0 to 1", p -> p >= 0 && p <= 1, source),
                number(json, "repetition_penalty", "above 0", r -> r > 0, source),
                Json.has(json, "do_sample") ? (Boolean) Json.bool(json, "do_sample", source) : null,
                whole(json, "max_new_tokens", 1, source));
    }

    private static List<Integer> eosIds(JsonObject json, String source, ModelConfig config) {
        if (!Json.has(json, "eos_token_id")) {
            return config.eosIds();
        }
        List<Integer> ids = Json.integers(json, "eos_token_id", source);
        for (int id : ids) {
            if (id < 0 || id >= config.vocabSize()) {
                String expected = "token ids from 0 to vocab_size - 1 (" + (config.vocabSize() - 1) + ")";
                throw Json.wrong("eos_token_id", expected, json.get("eos_token_id"), source);
            }
        }
        return ids;
    }

    private static Double number(JsonObject json, String key, String range, DoublePredicate ok, String source) {
        if (!Json.has(json, key)) {
            return null;
        }
        double value = Json.number(json, key, source);
        if (!ok.test(value)) {
            throw Json.wrong(key, "a number " + range, json.get(key), source);
        }
        return value;
    }

    private static Integer whole(JsonObject json, String key, int least, String source) {
        if (!Json.has(json, key)) {
            return null;
        }
        int value = Json.integer(json, key, source);
        if (value < least) {
            throw Json.wrong(key, "a whole number of at least " + least, json.get(key), source);
        }
        return value;
    }
}
