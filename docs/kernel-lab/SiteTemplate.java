import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.EditTable;
import dev.tiller.kernels.HeapBuffer;
import dev.tiller.kernels.ModuleOutput;
import dev.tiller.kernels.Norm;
import dev.tiller.kernels.SiteTaps;
import dev.tiller.kernels.lab.Variant;

/**
 * A residual site for the CPU to start from: the plain step (no edits of the module's output, no taps) is done here, the
 * rest is left to the backend underneath. Change it, and see what happens:
 *
 * <pre>
 *   tiller lab check site --kernel SiteTemplate.java
 *   tiller lab bench site --kernel SiteTemplate.java
 * </pre>
 */
public final class SiteTemplate extends Variant {
    public SiteTemplate(Backend base) {
        super(base);
    }

    @Override
    public void site(
            Buffer x,
            ModuleOutput delta,
            int rows,
            EditTable edits,
            SiteTaps taps,
            EditTable after,
            Norm norm,
            Buffer normed) {
        boolean plain = delta != null
                && delta.edits().isEmpty()
                && delta.norm() == null
                && delta.scale() == 1
                && delta.writeEdits().isEmpty()
                && after.isEmpty()
                && simple(edits)
                && taps.rows() == null
                && taps.probes() == null
                && taps.sums() == null
                && norm != null
                && norm.kind() == Norm.Kind.RMS
                && norm.bias() == null;
        if (!plain) {
            base.site(x, delta, rows, edits, taps, after, norm, normed);
            return;
        }
        int d = x.columns();
        for (int t = 0; t < rows; t++) {
            row(HeapBuffer.array(x), HeapBuffer.array(delta.values()), t * d, d);
            edit(HeapBuffer.array(x), t, d, edits);
            norm(HeapBuffer.array(x), t * d, d, norm, HeapBuffer.array(normed));
        }
    }

    /** Whether there is nothing but added, removed and bounded directions. */
    private static boolean simple(EditTable edits) {
        for (EditTable.Kind kind : edits.kinds()) {
            if (kind.compareTo(EditTable.Kind.CLAMP) > 0) {
                return false;
            }
        }
        return true;
    }

    private static void row(float[] x, float[] delta, int at, int d) {
        for (int i = at; i < at + d; i++) {
            x[i] += delta[i];
        }
    }

    /** The edits of row t, in the order of its list. */
    private static void edit(float[] x, int t, int d, EditTable edits) {
        for (int k = edits.isEmpty() ? 0 : edits.rowStart()[t]; !edits.isEmpty() && k < edits.rowStart()[t + 1]; k++) {
            int e = edits.edit()[k];
            float[] v = HeapBuffer.array(edits.directions());
            int from = edits.direction()[e] * d;
            float p = 0;
            for (int i = 0; i < d && edits.kinds()[e] != EditTable.Kind.ADD; i++) {
                p += x[t * d + i] * v[from + i];
            }
            float factor = edits.coefficient()[k]
                    * switch (edits.kinds()[e]) {
                        case ADD -> 1;
                        case ABLATE -> -p;
                        default -> Math.min(Math.max(p, edits.low()[e]), edits.high()[e]) - p;
                    };
            for (int i = 0; i < d; i++) {
                x[t * d + i] += factor * v[from + i];
            }
        }
    }

    private static void norm(float[] x, int at, int d, Norm norm, float[] out) {
        double square = 0;
        for (int i = at; i < at + d; i++) {
            square += (double) x[i] * x[i];
        }
        float inverse = (float) (1 / Math.sqrt(square / d + norm.eps()));
        float[] weight = HeapBuffer.array(norm.weight());
        for (int i = 0; i < d; i++) {
            out[at + i] = x[at + i] * inverse * (weight[i] + norm.offset());
        }
    }
}
