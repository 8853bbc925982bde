package dev.tiller.loader;

import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.List;

/**
 * The shape of a model: what config.json says, in either key style, with the defaults of its family filled in.
 *
 * @param modelType family as written, e.g. "llama"
 * @param hiddenSize d, model width
 * @param intermediateSize f, FFN width
 * @param blocks L, number of transformer blocks
 * @param heads h, query heads
 * @param kvHeads g, key/value heads; divides heads
 * @param headDim k, width of one head; even
 * @param vocabSize V
 * @param maxPositions context length in tokens
 * @param normEps epsilon of the RMS norms
 * @param activation hidden_act as written, e.g. "silu"
 * @param tiedEmbeddings the embedding table also serves as output head
 * @param attentionBias the attention biases of the family exist (which ones: {@link WeightNames#has}); always true for
 *     qwen2
 * @param mlpBias gate, up and down projections have biases
 * @param slidingWindow attention window of every block in tokens, 0 = none
 * @param bosId -1 = none
 * @param eosIds may be empty
 * @param padId -1 = none
 */
public record ModelConfig(
        String modelType,
        int hiddenSize,
        int intermediateSize,
        int blocks,
        int heads,
        int kvHeads,
        int headDim,
        int vocabSize,
        int maxPositions,
        float normEps,
        RopeConfig rope,
        String activation,
        boolean tiedEmbeddings,
        boolean attentionBias,
        boolean mlpBias,
        int slidingWindow,
        int bosId,
        List<Integer> eosIds,
        int padId) {

    public ModelConfig {
        eosIds = List.copyOf(eosIds);
    }

    /** Reads a config.json; an unknown family or a value that makes no sense is an error naming file, key and value. */
    public static ModelConfig read(Path configJson) {
        return parse(Json.readObject(configJson), configJson.toString());
    }

    /** As {@link #read}, from parsed JSON; {@code source} names the file in errors. */
    public static ModelConfig parse(JsonObject json, String source) {
        return new ModelConfigReader(json, source).read();
    }

    /** The same with another answer to whether the embedding table serves as output head. */
    ModelConfig withTiedEmbeddings(boolean tied) {
        return new ModelConfig(
                modelType,
                hiddenSize,
                intermediateSize,
                blocks,
                heads,
                kvHeads,
                headDim,
                vocabSize,
                maxPositions,
                normEps,
                rope,
                activation,
                tied,
                attentionBias,
                mlpBias,
                slidingWindow,
                bosId,
                eosIds,
                padId);
    }
}
