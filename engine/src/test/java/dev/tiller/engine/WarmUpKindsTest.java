package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.kernels.Activation;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.cpu.WarmUp;
import dev.tiller.kernels.scalar.ScalarBackend;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.SharedFiles;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Kernels of another family than the model's would get warm, and nothing but time would show it. */
class WarmUpKindsTest {
    private static final Map<String, WarmUp.Kinds> KINDS = Map.of(
            "llama", new WarmUp.Kinds(Norm.Kind.RMS, Activation.SILU, true, false),
            "gpt2", new WarmUp.Kinds(Norm.Kind.LAYER, Activation.GELU_TANH, false, false),
            "gpt_neox", new WarmUp.Kinds(Norm.Kind.LAYER, Activation.GELU, false, false),
            "cohere", new WarmUp.Kinds(Norm.Kind.LAYER, Activation.SILU, true, false),
            "gemma2", new WarmUp.Kinds(Norm.Kind.RMS, Activation.GELU_TANH, true, true));

    @Test
    void areThoseOfTheModel() {
        try (Backend backend = new ScalarBackend("test")) {
            KINDS.forEach((family, kinds) -> {
                try (Checkpoint checkpoint = Checkpoint.open(SharedFiles.require("fixtures/architectures/" + family))) {
                    assertEquals(
                            kinds, Weights.formats(checkpoint, backend, null).kinds(), family);
                }
            });
        }
    }
}
