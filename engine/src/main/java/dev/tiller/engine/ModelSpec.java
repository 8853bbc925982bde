package dev.tiller.engine;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.Norm;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.TillerException;

/**
 * What the forward pass needs to know of a model: numbers, never a family name.
 *
 * @param blocks L
 * @param width d
 * @param ffn f
 * @param vocabulary V
 * @param maxPositions longest context
 * @param attention head counts, scale, window
 * @param normKind of all norms
 * @param normEps of all norms
 * @param normOffset added to each norm weight
 * @param activation of the gate
 * @param embedScale factor on embeddings
 * @param rope rotary settings
 */
public record ModelSpec(
        int blocks,
        int width,
        int ffn,
        int vocabulary,
        int maxPositions,
        AttentionSpec attention,
        Norm.Kind normKind,
        float normEps,
        float normOffset,
        Activation activation,
        float embedScale,
        RopeConfig rope) {

    /** Translates the configuration of a supported family. */
    public static ModelSpec of(ModelConfig c) {
        Activation activation = switch (c.activation()) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu" -> Activation.GELU;
            case "gelu_pytorch_tanh", "gelu_new", "gelu_fast" -> Activation.GELU_TANH;
            default ->
                throw new TillerException("config.json: hidden_act \"" + c.activation()
                        + "\" is not supported; accepted: silu, gelu, gelu_pytorch_tanh");
        };
        float scale = (float) (1 / Math.sqrt(c.headDim()));
        AttentionSpec attention = new AttentionSpec(c.heads(), c.kvHeads(), c.headDim(), scale, 0, c.slidingWindow());
        return new ModelSpec(
                c.blocks(),
                c.hiddenSize(),
                c.intermediateSize(),
                c.vocabSize(),
                c.maxPositions(),
                attention,
                Norm.Kind.RMS,
                c.normEps(),
                0,
                activation,
                1,
                c.rope());
    }

    /** Width of all query heads together. */
    int queryWidth() {
        return attention.heads() * attention.headDim();
    }

    /** Width of all key (or value) heads together. */
    int kvWidth() {
        return attention.kvHeads() * attention.headDim();
    }
}
