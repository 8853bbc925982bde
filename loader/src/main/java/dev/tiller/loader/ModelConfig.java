package dev.tiller.loader;

import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.util.List;

/**
 * The shape of a model: what config.json says, in either key style, with the defaults of its family filled in. Whatever
 * the forward pass does differently from family to family is a number or a choice in here.
 *
 * @param modelType family as written, e.g. "llama"
 * @param partOf model_type of a whole of which this is the text part, e.g. "gemma3"; empty if it is whole itself
 * @param hiddenSize d, model width
 * @param vocabSize V
 * @param maxPositions context length in tokens
 * @param attention what all attention layers have in common
 * @param mlp what all MLPs have in common
 * @param norms kind of the norms
 * @param scales multipliers and caps
 * @param rope rotary positions of blocks with {@link Rotation#GLOBAL}; null if the family has none
 * @param localRope those of blocks with {@link Rotation#LOCAL}; null if there are none
 * @param parallel attention and MLP of a block both read its input, and both are added to it
 * @param tiedEmbeddings the embedding table also serves as output head
 * @param perBlock what differs from block to block, one entry for each
 * @param bosId -1 = none
 * @param eosIds may be empty
 * @param padId -1 = none
 */
public record ModelConfig(
        String modelType,
        String partOf,
        int hiddenSize,
        int vocabSize,
        int maxPositions,
        Attention attention,
        Mlp mlp,
        Norms norms,
        Scales scales,
        RopeConfig rope,
        RopeConfig localRope,
        boolean parallel,
        boolean tiedEmbeddings,
        List<Block> perBlock,
        int bosId,
        List<Integer> eosIds,
        int padId) {

    public ModelConfig {
        perBlock = List.copyOf(perBlock);
        eosIds = List.copyOf(eosIds);
    }

    /**
     * @param heads h, query heads
     * @param kvHeads g, key/value heads; divides heads
     * @param headDim k, width of one head
     * @param scale factor on the product of query and key
     * @param softCap cap * tanh(score / cap) on the scaled scores; 0 = none
     * @param bias the attention biases of the family exist (which ones: {@link WeightNames#has})
     * @param headNorm how queries and keys are normalised
     */
    public record Attention(
            int heads, int kvHeads, int headDim, float scale, float softCap, boolean bias, HeadNorm headNorm) {}

    /** How query and key heads are normalised before rotation. */
    public enum HeadNorm {
        /** Not at all. */
        NONE,
        /** Each head by itself, weights [k] shared by all. */
        HEAD,
        /** Each head by itself, with weights of its own [h, k]. */
        OWN,
        /** All heads together, weights [h k]. */
        ALL
    }

    /**
     * @param intermediateSize f, width of a dense MLP
     * @param activation as written, e.g. "silu"
     * @param gated act(gate) * up, else act(up) alone
     * @param bias the MLP's projections have biases
     * @param mixture of the blocks that have one; null if none has
     */
    public record Mlp(int intermediateSize, String activation, boolean gated, boolean bias, Mixture mixture) {}

    /**
     * @param experts E, MLPs of a block
     * @param chosen how many of them each token goes through
     * @param normalised the weights of those chosen are divided by their sum
     * @param intermediateSize width of an expert
     */
    public record Mixture(int experts, int chosen, boolean normalised, int intermediateSize) {}

    /** RMS: no mean is subtracted. LAYER: it is. */
    public enum NormKind {
        RMS,
        LAYER
    }

    /**
     * @param kind of every norm
     * @param eps added under the square root
     * @param offset added to every weight
     */
    public record Norms(NormKind kind, float eps, float offset) {}

    /**
     * @param embedding factor on embeddings
     * @param residual factor on what attention and MLP add to the residual
     * @param logits factor on logits
     * @param logitCap cap * tanh(logit / cap) after that; 0 = none
     */
    public record Scales(float embedding, float residual, float logits, float logitCap) {}

    /** Rotary positions of a block. */
    public enum Rotation {
        NONE,
        GLOBAL,
        LOCAL
    }

    /**
     * @param window attention window in tokens, the token itself included; 0 = none
     * @param rotation which rotary positions
     * @param mixture a mixture of experts stands for its MLP
     */
    public record Block(int window, Rotation rotation, boolean mixture) {}

    /** Reads a config.json; an unknown family or a value that makes no sense is an error naming file, key and value. */
    public static ModelConfig read(Path configJson) {
        return parse(Json.readObject(configJson), configJson.toString());
    }

    /** As {@link #read}, from parsed JSON; {@code source} names the file in errors. */
    public static ModelConfig parse(JsonObject json, String source) {
        return ModelConfigReader.read(json, source);
    }

    /** Every model_type that can be read. */
    public static List<String> families() {
        return List.copyOf(Families.names());
    }

    /** L, number of transformer blocks. */
    public int blocks() {
        return perBlock.size();
    }

    /** f, width of a dense MLP. */
    public int intermediateSize() {
        return mlp.intermediateSize();
    }

    /** h, query heads. */
    public int heads() {
        return attention.heads();
    }

    /** g, key/value heads. */
    public int kvHeads() {
        return attention.kvHeads();
    }

    /** k, width of one head. */
    public int headDim() {
        return attention.headDim();
    }

    /** The attention biases of the family exist. */
    public boolean attentionBias() {
        return attention.bias();
    }

    /** The MLP's projections have biases. */
    public boolean mlpBias() {
        return mlp.bias();
    }

    /** True if blocks have a mixture of experts. */
    public boolean hasMixture() {
        return perBlock.stream().anyMatch(Block::mixture);
    }

    /** The same with another answer to whether the embedding table serves as output head. */
    ModelConfig withTiedEmbeddings(boolean tied) {
        return new ModelConfig(
                modelType,
                partOf,
                hiddenSize,
                vocabSize,
                maxPositions,
                attention,
                mlp,
                norms,
                scales,
                rope,
                localRope,
                parallel,
                tied,
                perBlock,
                bosId,
                eosIds,
                padId);
    }
}
