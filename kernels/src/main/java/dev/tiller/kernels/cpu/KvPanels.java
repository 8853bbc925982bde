package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.I;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.HeapKvPages;
import dev.tiller.kernels.KvPages;
import dev.tiller.kernels.WeightFormat;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Stored keys and values as float32 in the panels that {@link AttentionTiles} multiply: 2 L positions (keys) or 2 L
 * columns (values) side by side. All formats come out exactly as stored. In panels of 16-bit values the even columns of a
 * panel come before the odd ones; {@link #finish} puts them in their order.
 */
final class KvPanels {
    private static final int PAGE = KvPages.PAGE;
    private static final int PANEL = 2 * L;
    /** From the bias of 16-bit exponents to that of float32. */
    private static final float F16_EXPONENTS = 0x1p112f;

    private KvPanels() {}

    /** Columns of values with those that fill the last panel. */
    static int padded(int k) {
        return Math.ceilDiv(k, PANEL) * PANEL;
    }

    /** The keys of a page, at places {@code row .. row + PAGE - 1} of panels [k, 2 L]. */
    static void keys(HeapKvPages kv, int[] page, int at, float[] panels, int row) {
        int k = kv.headDim();
        for (int v = 0; v < PAGE; v += L) {
            int to = (row + v) / PANEL * PANEL * k + (row + v) % PANEL;
            switch (kv.format()) {
                case F32 -> words(page, at + v, PAGE, k, panels, to);
                case BF16 -> bf16Keys(page, at + v, k, panels, to);
                default -> f16Keys(page, at + v, k, panels, to);
            }
        }
    }

    /** The values of {@code n} positions of a page, at rows {@code row ..} of panels [rows, 2 L]. */
    static void values(HeapKvPages kv, int[] page, int at, int n, float[] panels, int rows, int row) {
        int words = kv.words();
        int step = kv.format() == WeightFormat.F32 ? 2 : 1;
        for (int w = 0; w < words; w += L) {
            int to = w / (step * L) * PANEL * rows + row * PANEL + (step == 2 ? w % PANEL : 0);
            switch (kv.format()) {
                case F32 -> words(page, at + w, words, n, panels, to);
                case BF16 -> bf16Values(page, at + w, words, n, panels, to);
                default -> f16Values(page, at + w, words, n, panels, to);
            }
        }
    }

    private static void words(int[] page, int at, int stride, int n, float[] panels, int to) {
        for (int i = 0; i < n; i++) {
            IntVector.fromArray(I, page, at + i * stride).reinterpretAsFloats().intoArray(panels, to + i * PANEL);
        }
    }

    private static void bf16Keys(int[] page, int at, int k, float[] panels, int to) {
        for (int i = 0; i < k / 2; i++) {
            IntVector pair = IntVector.fromArray(I, page, at + i * PAGE);
            bf16Low(pair).intoArray(panels, to + 2 * i * PANEL);
            bf16High(pair).intoArray(panels, to + 2 * i * PANEL + PANEL);
        }
        if (k % 2 == 1) {
            bf16Low(IntVector.fromArray(I, page, at + k / 2 * PAGE)).intoArray(panels, to + (k - 1) * PANEL);
        }
    }

    private static void bf16Values(int[] page, int at, int stride, int n, float[] panels, int to) {
        for (int i = 0; i < n; i++) {
            IntVector pair = IntVector.fromArray(I, page, at + i * stride);
            bf16Low(pair).intoArray(panels, to + i * PANEL);
            bf16High(pair).intoArray(panels, to + i * PANEL + L);
        }
    }

    private static void f16Keys(int[] page, int at, int k, float[] panels, int to) {
        for (int i = 0; i < k / 2; i++) {
            IntVector pair = IntVector.fromArray(I, page, at + i * PAGE);
            f16Low(pair).intoArray(panels, to + 2 * i * PANEL);
            f16High(pair).intoArray(panels, to + 2 * i * PANEL + PANEL);
        }
        if (k % 2 == 1) {
            f16Low(IntVector.fromArray(I, page, at + k / 2 * PAGE)).intoArray(panels, to + (k - 1) * PANEL);
        }
    }

    private static void f16Values(int[] page, int at, int stride, int n, float[] panels, int to) {
        for (int i = 0; i < n; i++) {
            IntVector pair = IntVector.fromArray(I, page, at + i * stride);
            f16Low(pair).intoArray(panels, to + i * PANEL);
            f16High(pair).intoArray(panels, to + i * PANEL + L);
        }
    }

    static FloatVector bf16Low(IntVector pair) {
        return pair.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    static FloatVector bf16High(IntVector pair) {
        return pair.and(0xffff0000).reinterpretAsFloats();
    }

    static FloatVector f16Low(IntVector pair) {
        return f16High(pair.lanewise(VectorOperators.LSHL, 16));
    }

    /** Exponent and fraction move to their float32 places, the sign stays; stored numbers are finite. */
    static FloatVector f16High(IntVector pair) {
        return pair.lanewise(VectorOperators.ASHR, 3)
                .and(0x8fffe000)
                .reinterpretAsFloats()
                .mul(F16_EXPONENTS);
    }

    /** out[to .. to + k - 1] = factor * sums, whose columns are in the order of the panels of that format. */
    static void finish(float[] sums, int at, float factor, WeightFormat format, int k, float[] out, int to) {
        if (format != WeightFormat.F32) {
            for (int i = 0; i < k; i++) {
                int c = i % PANEL;
                out[to + i] = factor * sums[at + i - c + c / 2 + (c % 2 == 0 ? 0 : L)];
            }
            return;
        }
        FloatVector f = FloatVector.broadcast(F, factor);
        int i = 0;
        for (; i <= k - L; i += L) {
            FloatVector.fromArray(F, sums, at + i).mul(f).intoArray(out, to + i);
        }
        for (; i < k; i++) {
            out[to + i] = factor * sums[at + i];
        }
    }
}
