package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tiller.kernels.EditTable.Kind;
import dev.tiller.loader.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Arguments that do not fit are refused before anything is written. */
interface ArgumentContract {
    Backend open();

    /** Buffers filled with ones, and calls that must be refused. */
    final class Calls {
        private final Backend b;
        private final Backend other;
        private final Map<String, Executable> calls = new LinkedHashMap<>();
        private final Buffer x;
        private final Buffer out;
        private final Buffer weight;
        private final Buffer wide;
        private final int[] zeros = new int[4];

        Calls(Backend b, Backend other) {
            this.b = b;
            this.other = other;
            x = ones(b, 2, 8);
            out = ones(b, 2, 8);
            weight = ones(b, 1, 8);
            wide = ones(b, 2, 9);
        }

        private static Buffer ones(Backend b, int rows, int columns) {
            float[] ones = new float[rows * columns];
            java.util.Arrays.fill(ones, 1);
            return b.buffer(rows, columns, ones);
        }

        void check() {
            calls.forEach((name, call) -> {
                IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call, name);
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                checkUntouched(name);
            });
        }

        void checkUntouched(String name) {
            for (Buffer buffer : List.of(x, out, weight, wide)) {
                float[] expected = new float[buffer.rows() * buffer.columns()];
                java.util.Arrays.fill(expected, 1);
                assertArrayEquals(expected, Duo.read(b, buffer), name + " wrote something");
            }
        }

        private Matrix eye(Backend owner) {
            return owner.matrix(List.of(Duo.tensor(DType.F32, 8, 8, new float[64])), WeightFormat.F32);
        }

        void buffers() {
            calls.put("negative rows", () -> b.buffer(-1, 3));
            calls.put("too large", () -> b.buffer(1 << 20, 1 << 12));
            calls.put("write beyond", () -> b.write(new float[16], 0, x, 1, 2));
            calls.put("write before", () -> b.write(new float[16], 0, x, -1, 1));
            calls.put("write from too short", () -> b.write(new float[15], 0, x, 0, 2));
            calls.put("write from null", () -> b.write(null, 0, x, 0, 2));
            calls.put("read to too short", () -> b.read(x, 0, 2, new float[16], 1));
            calls.put("foreign", () -> b.clear(other.buffer(1, 1)));
            calls.put("gather beyond", () -> b.gather(x, new int[] {0, 2}, 2, out));
            calls.put("gather in place", () -> b.gather(x, zeros, 2, x));
            calls.put("gather other width", () -> b.gather(x, zeros, 2, wide));
            calls.put("argmax rows", () -> b.argmax(x, 3, new int[3]));
            calls.put("argmax out", () -> b.argmax(x, 2, new int[1]));
        }

        void matrices() {
            Matrix w = eye(b);
            calls.put("no parts", () -> b.matrix(List.of(), WeightFormat.F32));
            calls.put(
                    "unequal parts",
                    () -> b.matrix(
                            List.of(
                                    Duo.tensor(DType.F32, 1, 8, new float[8]),
                                    Duo.tensor(DType.F32, 1, 7, new float[7])),
                            WeightFormat.F32));
            calls.put("x width", () -> b.matmul(wide, 2, w, null, out));
            calls.put("out width", () -> b.matmul(x, 2, w, null, wide));
            calls.put("too many rows", () -> b.matmul(x, 3, w, null, out));
            calls.put("negative rows of x", () -> b.matmul(x, -1, w, null, out));
            calls.put("bias width", () -> b.matmul(x, 2, w, wide, out));
            calls.put("in place", () -> b.matmul(x, 2, w, null, x));
            calls.put("foreign matrix", () -> b.matmul(x, 2, eye(other), null, out));
            calls.put("foreign x", () -> b.matmul(other.buffer(2, 8), 2, w, null, out));
            calls.put("null out", () -> b.matmul(x, 2, w, null, null));
            calls.put("id beyond", () -> b.embed(w, new int[] {0, 8}, 2, 1, out));
            calls.put("id negative", () -> b.embed(w, new int[] {-1, 0}, 2, 1, out));
            calls.put("ids too few", () -> b.embed(w, new int[1], 2, 1, out));
            calls.put("embed width", () -> b.embed(w, zeros, 2, 1, wide));
            calls.put("foreign table", () -> b.embed(eye(other), zeros, 2, 1, out));
            Norm norm = new Norm(Norm.Kind.RMS, weight, null, 1, 0);
            calls.put("norm width", () -> b.norm(wide, 2, norm, wide));
            calls.put("norm out width", () -> b.norm(x, 2, norm, wide));
            calls.put("norm bias", () -> b.norm(x, 2, new Norm(Norm.Kind.RMS, weight, wide, 1, 0), out));
            calls.put("gate width", () -> b.gatedActivation(x, 2, Activation.SILU, out));
            calls.put("no activation", () -> b.gatedActivation(x, 2, null, b.buffer(2, 4)));
        }

        void attention() {
            KvPages kv = b.kvPages(2, 1, 4, WeightFormat.F32);
            int page = kv.allocate();
            int[][] pages = {{page, page + 1}};
            Rows one = rows(0, 0, pages);
            AttentionSpec spec = new AttentionSpec(2, 1, 4, 1, 0, 0);
            RopeTable table = new RopeTable(2, new float[8], new float[8]);
            calls.put("angle beyond", () -> b.rope(x, rows(4, 0, pages), 0, 1, 4, table));
            calls.put("position negative", () -> b.rope(x, rows(-1, 0, pages), 0, 1, 4, table));
            calls.put("heads beyond", () -> b.rope(x, one, 5, 1, 4, table));
            calls.put("half too large", () -> b.rope(x, one, 0, 1, 3, table));
            calls.put("sines too few", () -> b.rope(x, one, 0, 1, 4, new RopeTable(2, new float[8], new float[7])));
            calls.put("block beyond", () -> b.appendKv(x, one, 0, 4, kv, 2));
            calls.put("keys beyond", () -> b.appendKv(x, one, 5, 0, kv, 0));
            calls.put("values before", () -> b.appendKv(x, one, 0, -1, kv, 0));
            calls.put("page not in use", () -> b.appendKv(x, rows(16, 0, pages), 0, 4, kv, 0));
            calls.put("page table too short", () -> b.appendKv(x, rows(32, 0, pages), 0, 4, kv, 0));
            calls.put("sequence beyond", () -> b.appendKv(x, rows(0, 1, pages), 0, 4, kv, 0));
            calls.put("foreign pages", () -> b.appendKv(x, one, 0, 4, other.kvPages(2, 1, 4, WeightFormat.F32), 0));
            calls.put("queries beyond", () -> b.attend(x, one, 1, kv, 0, spec, out));
            calls.put("attend in place", () -> b.attend(x, one, 0, kv, 0, spec, x));
            calls.put("attend width", () -> b.attend(x, one, 0, kv, 0, spec, wide));
            calls.put("attend page", () -> b.attend(x, rows(16, 0, pages), 0, kv, 0, spec, out));
            calls.put("kv heads", () -> b.attend(x, one, 0, kv, 0, new AttentionSpec(2, 2, 4, 1, 0, 0), out));
            calls.put("head width", () -> b.attend(x, one, 0, kv, 0, new AttentionSpec(2, 1, 3, 1, 0, 0), out));
            calls.put("window", () -> b.attend(x, one, 0, kv, 0, new AttentionSpec(2, 1, 4, 1, 0, -1), out));
            calls.put("pages of no format", () -> b.kvPages(1, 1, 1, null));
            calls.put("pages of no block", () -> b.kvPages(0, 1, 1, WeightFormat.F32));
            calls.put("pages too large", () -> b.kvPages(1000, 1000, 1000, WeightFormat.F32));
        }

        private static Rows rows(int position, int sequence, int[][] pages) {
            return new Rows(1, new int[] {position}, new int[] {sequence}, pages);
        }

        void sites() {
            edits("edit index", weight, new int[] {0, 1, 1}, new int[] {1}, new float[] {1});
            edits("rowStart too short", weight, new int[] {0, 1}, new int[] {0}, new float[] {1});
            edits("rowStart falls", weight, new int[] {0, 1, 0}, new int[] {0}, new float[] {1});
            edits("entries too few", weight, new int[] {0, 1, 2}, new int[] {0}, new float[] {1, 1});
            edits("coefficients too few", weight, new int[] {0, 1, 2}, new int[] {0, 0}, new float[] {1});
            edits("coefficient 0", weight, new int[] {0, 1, 2}, new int[] {0, 0}, new float[] {1, 0});
            edits("direction width", wide, new int[] {0, 1, 2}, new int[] {0, 0}, new float[] {1, 1});
            edits("no directions", null, new int[] {0, 1, 2}, new int[] {0, 0}, new float[] {1, 1});
            edits("x as directions", x, new int[] {0, 1, 2}, new int[] {0, 0}, new float[] {1, 1});
            operands("direction beyond", Kind.CLAMP, 1, 0, null);
            operands("direction negative", Kind.ADD, -1, 0, null);
            operands("second direction beyond", Kind.ROTATE, 0, 1, null);
            operands("probe without gates", Kind.PROBE, 0, 0, null);
            operands("gates without rows", Kind.WHEN, 0, 0, b.buffer(1, 1));
            operands("gate beyond", Kind.WHEN, 0, 1, b.buffer(2, 1));
            operands("x as gates", Kind.PROBE, 0, 0, x);
            operands("foreign gates", Kind.WHEN, 0, 0, other.buffer(2, 1));
            calls.put("no table", () -> b.edit(x, 2, null));
            Norm norm = new Norm(Norm.Kind.RMS, weight, null, 1, 0);
            calls.put("delta width", () -> site(wide, SiteTaps.NONE, null, null));
            Norm wideNorm = new Norm(Norm.Kind.RMS, b.buffer(1, wide.columns()), null, 1e-5f, 0);
            module("module norm width", new ModuleOutput(out, EditTable.NONE, wideNorm, EditTable.NONE));
            module("x as module output", ModuleOutput.of(x));
            calls.put("norm without normed", () -> site(null, SiteTaps.NONE, norm, null));
            calls.put("normed without norm", () -> site(null, SiteTaps.NONE, null, out));
            calls.put("normed in place", () -> site(null, SiteTaps.NONE, norm, x));
            taps("tapped width", wide, null, null, null, null, null);
            taps("tapped in place", x, null, null, null, null, null);
            taps("probes alone", null, weight, null, null, null, null);
            taps("probe width", null, wide, b.buffer(2, 2), null, null, null);
            taps("projections width", null, weight, wide, null, null, null);
            taps("sums without starts", null, null, null, weight, null, zeros);
            taps("slot beyond", null, null, null, weight, new int[] {0, 1, 1}, new int[] {1});
            taps("slots too few", null, null, null, weight, new int[] {0, 1, 2}, new int[] {0});
            taps("sums width", null, null, null, wide, new int[] {0, 1, 1}, new int[] {0});
        }

        private void operands(String name, Kind kind, int direction, int second, Buffer gates) {
            EditTable bad = new EditTable(
                    new Kind[] {kind},
                    weight,
                    new int[] {direction},
                    new int[] {second},
                    new float[1],
                    new float[1],
                    new int[] {0, 1, 2},
                    new int[2],
                    new float[] {1, 1},
                    gates);
            calls.put("operands: " + name, () -> b.edit(x, 2, bad));
        }

        private void site(Buffer delta, SiteTaps taps, Norm norm, Buffer normed) {
            b.site(x, ModuleOutput.of(delta), 2, EditTable.NONE, taps, EditTable.NONE, norm, normed);
        }

        private void module(String name, ModuleOutput module) {
            calls.put(name, () -> b.site(x, module, 2, EditTable.NONE, SiteTaps.NONE, EditTable.NONE, null, null));
        }

        private void taps(
                String name, Buffer rows, Buffer probes, Buffer projections, Buffer sums, int[] start, int[] slot) {
            SiteTaps taps = new SiteTaps(rows, probes, projections, sums, start, slot);
            calls.put(name, () -> site(null, taps, null, null));
        }

        private void edits(String name, Buffer directions, int[] start, int[] edit, float[] coefficient) {
            EditTable bad = new EditTable(
                    new Kind[] {Kind.ADD}, directions, new float[1], new float[1], start, edit, coefficient);
            calls.put("edit: " + name, () -> b.edit(x, 2, bad));
            module("module: " + name, new ModuleOutput(out, bad, null, EditTable.NONE));
            module("write: " + name, new ModuleOutput(out, EditTable.NONE, null, bad));
            calls.put(
                    "after: " + name,
                    () -> b.site(x, ModuleOutput.of(out), 2, EditTable.NONE, SiteTaps.NONE, bad, null, null));
        }
    }

    @Test
    default void argumentsThatDoNotFitAreRefused() {
        try (Backend b = open();
                Backend other = open()) {
            Calls calls = new Calls(b, other);
            calls.buffers();
            calls.matrices();
            calls.attention();
            calls.sites();
            calls.check();
        }
    }

    @Test
    default void noRowsAreNoWork() {
        try (Backend b = open()) {
            Calls calls = new Calls(b, b);
            b.matmul(calls.x, 0, calls.eye(b), null, calls.out);
            b.embed(calls.eye(b), new int[0], 0, 1, calls.out);
            b.norm(calls.x, 0, new Norm(Norm.Kind.RMS, calls.weight, null, 1, 0), calls.out);
            KvPages kv = b.kvPages(1, 1, 4, WeightFormat.F32);
            Rows none = new Rows(0, new int[0], new int[0], new int[0][]);
            b.appendKv(calls.x, none, 0, 4, kv, 0);
            b.attend(calls.x, none, 0, kv, 0, new AttentionSpec(2, 1, 4, 1, 0, 0), calls.out);
            b.site(calls.x, ModuleOutput.of(calls.out), 0, EditTable.NONE, SiteTaps.NONE, EditTable.NONE, null, null);
            b.argmax(calls.x, 0, new int[0]);
            calls.checkUntouched("an operation on no rows");
        }
    }
}
