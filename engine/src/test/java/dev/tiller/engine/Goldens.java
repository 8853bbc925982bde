package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.Safetensors;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Path;
import java.util.Map;

/** Reference tensors of one fixture, and the comparisons that the fixtures recommend. */
final class Goldens implements AutoCloseable {
    private final Safetensors file;

    Goldens(String path) {
        this(SharedFiles.require(path));
    }

    Goldens(Path path) {
        file = Safetensors.open(path);
    }

    boolean has(String name) {
        return file.find(name).isPresent();
    }

    float[] floats(String name) {
        return file.tensor(name).toFloats();
    }

    int[] ids(String name) {
        long[] longs = file.tensor(name).toLongs();
        int[] out = new int[longs.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = Math.toIntExact(longs[i]);
        }
        return out;
    }

    /** The vectors of the fixture as vectors of a plan. */
    VectorResolver resolver() {
        return reference -> SteeringVector.uniform(reference.name(), floats(reference.name()));
    }

    static double relativeL2(float[] expected, float[] found) {
        return relativeL2(expected, 0, found, 0, expected.length);
    }

    static double relativeL2(float[] expected, int from, float[] found, int at, int n) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < n; i++) {
            double e = expected[from + i];
            double d = found[at + i] - e;
            difference += d * d;
            size += e * e;
        }
        return Math.sqrt(difference / Math.max(size, 1e-300));
    }

    /** Logits: largest difference at most 5e-4 and relative L2 at most 1e-5. */
    static void assertLogits(String what, float[] expected, float[] found) {
        assertTrue(
                expected.length == found.length, what + ": " + expected.length + " and " + found.length + " numbers");
        double max = 0;
        for (int i = 0; i < expected.length; i++) {
            max = Math.max(max, Math.abs(expected[i] - found[i]));
        }
        double l2 = relativeL2(expected, found);
        assertTrue(max <= 5e-4 && l2 <= 1e-5, what + ": largest difference " + max + ", relative L2 " + l2);
    }

    /** Residuals: relative L2 at most 2e-5 at each position. */
    static void assertRows(String what, float[] expected, float[] found, int width) {
        assertTrue(
                expected.length == found.length, what + ": " + expected.length + " and " + found.length + " numbers");
        for (int from = 0; from < expected.length; from += width) {
            double l2 = relativeL2(expected, from, found, from, width);
            assertTrue(l2 <= 2e-5, what + ", row " + from / width + ": relative L2 " + l2);
        }
    }

    /** The plans of the fixtures' steering variants, in the JSON form. */
    static Map<String, String> variants(int blockOfAdd, double coefficient, String two, String clamp) {
        String add = "{\"op\":\"add\",\"vector\":\"steer.v1\",\"blocks\":[" + blockOfAdd + "],\"coefficient\":"
                + coefficient;
        String ablate = "{\"op\":\"ablate\",\"vector\":\"steer.u\",\"blocks\":\"all\",\"span\":\"all\",\"sites\":";
        return Map.of(
                "add_all", "{\"edits\":[" + add + ",\"span\":\"all\"}]}",
                "add_response", "{\"edits\":[" + add + ",\"span\":\"generation\"}]}",
                "add_prompt", "{\"edits\":[" + add + ",\"span\":\"prompt\"}]}",
                "add_two", two,
                "ablate_writes", "{\"edits\":[" + ablate + "[\"resid_pre\",\"attn_write\",\"mlp_write\"]}]}",
                "ablate_modules", "{\"edits\":[" + ablate + "[\"resid_pre\",\"attn_out\",\"mlp_out\"]}]}",
                "ablate_out", "{\"edits\":[" + ablate + "[\"resid_post\"]}]}",
                "clamp", clamp);
    }

    @Override
    public void close() {
        file.close();
    }
}
