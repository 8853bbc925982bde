package dev.tiller.kernels.cuda;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.HeadNorms;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.WeightFormat;

/** Refuses buffers of a shorter type where kernels take float32 alone. */
final class Float32 {
    private Float32() {}

    static void require(String name, Buffer buffer) {
        if (buffer != null && buffer.format() != WeightFormat.F32) {
            throw new IllegalArgumentException("expected " + name + " in F32, found " + buffer.format());
        }
    }

    static void require(Norm norm) {
        if (norm != null) {
            require("norm weight", norm.weight());
            require("norm bias", norm.bias());
        }
    }

    static void require(HeadNorms norms) {
        if (norms != null) {
            require(norms.query());
            require(norms.key());
        }
    }

    private static void require(EditTable edits) {
        require("directions", edits.directions());
        require("gates", edits.gates());
    }

    /** All that takes part in a call of the residual site but what follows its norm. */
    static void site(Buffer x, ModuleOutput delta, EditTable edits, SiteTaps taps, EditTable after, Norm norm) {
        require("x", x);
        require(norm);
        require("tapped rows", taps.rows());
        require("probes", taps.probes());
        require("projections", taps.projections());
        require("sums", taps.sums());
        require(edits);
        require(after);
        if (delta != null) {
            require("delta", delta.values());
            require(delta.norm());
            require(delta.edits());
            require(delta.writeEdits());
        }
    }
}
