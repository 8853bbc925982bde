package dev.tiller.loader;

import com.google.gson.JsonElement;
import java.util.List;
import java.util.Map;

/**
 * What tells one family of models from another, as {@code families.txt} says it.
 *
 * @param name model_type
 * @param defaults values of the keys that this family knows, where config.json is silent; null values mean none
 * @param fixed values that config.json has no say in
 * @param spelled other names of a key in this family's config.json, the usual one first
 * @param only keys with the one value that is supported; null in config.json is as good
 * @param meanings of a key's values: those that mean another one here
 * @param norm RMS or LAYER
 * @param normOffset what is added to every norm weight
 * @param headNorm how queries and keys are normalised
 * @param headNormKey the key that switches it on; null if it is always on
 * @param parallel attention and MLP both read the input of the block
 * @param parallelKey the key that switches that on; null if it does not depend on one
 * @param window how the blocks with a sliding window are found
 * @param rotatedInWindows where there is a sliding window, only the blocks that have it rotate queries and keys
 * @param rootEmbedding embeddings are multiplied with the root of their width
 * @param names tensor names, and how matrices are stored
 */
record Family(
        String name,
        Map<String, JsonElement> defaults,
        Map<String, JsonElement> fixed,
        Map<String, List<String>> spelled,
        Map<String, JsonElement> only,
        Map<String, Map<String, String>> meanings,
        ModelConfig.NormKind norm,
        float normOffset,
        ModelConfig.HeadNorm headNorm,
        String headNormKey,
        boolean parallel,
        String parallelKey,
        Window window,
        boolean rotatedInWindows,
        boolean rootEmbedding,
        WeightNames names) {

    /** Which blocks have a sliding window. */
    enum Window {
        /** None. */
        NONE,
        /** All, if there is a sliding_window and use_sliding_window, where the family knows it, is true. */
        EVERY,
        /** By layer_types, else all. */
        TYPED,
        /** By layer_types, which must be there. */
        LISTED,
        /** By layer_types, else those from max_window_layers on, if use_sliding_window is true. */
        LATER,
        /** By layer_types, else all but every sliding_window_pattern-th. */
        PATTERN,
        /** By layer_types, else those without rotation, if use_sliding_window is true. */
        UNROTATED
    }

    /** Names of a key in config.json, the usual one first. */
    List<String> spellings(String key) {
        return spelled.getOrDefault(key, List.of(key));
    }

    /** What a written value of a key stands for: mostly itself. */
    String meaning(String key, String written) {
        return meanings.getOrDefault(key, Map.of()).getOrDefault(written, written);
    }

    /** What stands for a value of a key in this family's config.json: mostly the value itself. */
    String written(String key, String meaning) {
        return meanings.getOrDefault(key, Map.of()).entrySet().stream()
                .filter(e -> e.getValue().equals(meaning))
                .map(Map.Entry::getKey)
                .findFirst()
                .orElse(meaning);
    }

    /** True if this family's config.json may have that key at all. */
    boolean knows(String key) {
        return defaults.containsKey(key) || fixed.containsKey(key);
    }
}
