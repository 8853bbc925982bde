package dev.tiller.engine;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.AttentionSpec;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.Norm;
import dev.tiller.loader.ModelConfig;
import dev.tiller.loader.RopeConfig;
import dev.tiller.loader.TillerException;
import java.util.List;

/**
 * What the forward pass needs to know of a model: numbers and choices, never a family name.
 *
 * @param width d
 * @param ffn f, width of a dense MLP
 * @param vocabulary V
 * @param maxPositions longest context
 * @param perBlock what differs from block to block
 * @param attention head counts, scale, cap; without a window
 * @param headSpan how queries and keys are normalised; null if they are not
 * @param normKind of all norms
 * @param normEps of all norms
 * @param normOffset added to each norm weight
 * @param activation of the MLP
 * @param gated act(gate) * up, else act(up)
 * @param parallel attention and MLP both read the input of the block
 * @param scales factors on embeddings, on what a module adds, on logits, and the cap of the latter
 * @param rope rotary settings; null if no block has any
 * @param localRope those of blocks with {@link ModelConfig.Rotation#LOCAL}; null if there are none
 */
public record ModelSpec(
        int width,
        int ffn,
        int vocabulary,
        int maxPositions,
        List<Block> perBlock,
        AttentionSpec attention,
        HeadNorms.Span headSpan,
        Norm.Kind normKind,
        float normEps,
        float normOffset,
        Activation activation,
        boolean gated,
        boolean parallel,
        ModelConfig.Scales scales,
        RopeConfig rope,
        RopeConfig localRope) {

    /**
     * @param attention with the window of this block
     * @param rotation which rotary positions
     * @param mixture a mixture of experts stands for its MLP
     */
    public record Block(AttentionSpec attention, ModelConfig.Rotation rotation, boolean mixture) {}

    /** Translates the configuration of a model. */
    public static ModelSpec of(ModelConfig c) {
        return new ModelSpec(
                c.hiddenSize(),
                c.intermediateSize(),
                c.vocabSize(),
                c.maxPositions(),
                c.perBlock().stream()
                        .map(b -> new Block(attention(c.attention(), b.window()), b.rotation(), b.mixture()))
                        .toList(),
                attention(c.attention(), 0),
                switch (c.attention().headNorm()) {
                    case NONE -> null;
                    case HEAD -> HeadNorms.Span.HEAD;
                    case OWN -> HeadNorms.Span.OWN;
                    case ALL -> HeadNorms.Span.ALL;
                },
                c.norms().kind() == ModelConfig.NormKind.RMS ? Norm.Kind.RMS : Norm.Kind.LAYER,
                c.norms().eps(),
                c.norms().offset(),
                activation(c.mlp().activation()),
                c.mlp().gated(),
                c.parallel(),
                c.scales(),
                c.rope(),
                c.localRope());
    }

    private static AttentionSpec attention(ModelConfig.Attention a, int window) {
        return new AttentionSpec(a.heads(), a.kvHeads(), a.headDim(), a.scale(), a.softCap(), window);
    }

    private static Activation activation(String name) {
        return switch (name) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu" -> Activation.GELU;
            case "gelu_pytorch_tanh", "gelu_new", "gelu_fast" -> Activation.GELU_TANH;
            default ->
                throw new TillerException("config.json: hidden_act \"" + name
                        + "\" is not supported; accepted: silu, gelu, gelu_pytorch_tanh");
        };
    }

    /** L. */
    public int blocks() {
        return perBlock.size();
    }

    /** True if some block has a dense MLP. */
    boolean hasDense() {
        return perBlock.stream().anyMatch(b -> !b.mixture());
    }

    /**
     * The longest text whose rotary angles are those of short texts; in a longer one those of all positions are others.
     * 0 if the length of a text does not matter.
     */
    int shortContext() {
        return rope != null && rope.divisors() != null ? rope.originalMaxPositions() : 0;
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
