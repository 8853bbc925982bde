package dev.tiller.persona.vectors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.engine.Site;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.Json;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorContent;
import dev.tiller.persona.VectorFile;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VectorArithmeticTest {
    private static final int D = 9;

    @TempDir
    Path dir;

    private VectorFile file(String name, long seed, Map<String, String> metadata, int... blocks) {
        Random random = new Random(seed);
        TreeMap<Integer, float[][]> map = new TreeMap<>();
        for (int b : blocks) {
            map.put(b, new float[][] {row(random)});
        }
        Path path = dir.resolve(name + ".safetensors");
        VectorFile.write(
                path, new VectorContent("add", Site.RESID_POST, map, Map.of("embedding", row(random)), metadata));
        return VectorFile.read(path);
    }

    private static float[] row(Random random) {
        float[] out = new float[D];
        for (int i = 0; i < D; i++) {
            out[i] = (float) random.nextGaussian();
        }
        return out;
    }

    private static VectorContent run(String expression, Map<String, VectorFile> inputs) {
        return VectorArithmetic.run(expression, inputs, null, null, false);
    }

    private Map<String, VectorFile> inputs(long seed) {
        Map<String, VectorFile> out = new LinkedHashMap<>();
        for (String name : List.of("a", "b", "c")) {
            out.put(name, file(name, seed++, Map.of(), 1, 2));
        }
        return out;
    }

    private static Map<String, VectorFile> only(Map<String, VectorFile> all, String... names) {
        Map<String, VectorFile> out = new LinkedHashMap<>();
        for (String name : names) {
            out.put(name, all.get(name));
        }
        return out;
    }

    @ParameterizedTest
    @ValueSource(longs = {10, 20, 30})
    void sumsAndMultiplesAreRoundedOnce(long seed) {
        Map<String, VectorFile> all = inputs(seed);
        VectorContent same = run("a", only(all, "a"));
        VectorContent mixed = run("0.3*a - (b + 2*c)/7 + -a", all);
        for (int block : List.of(1, 2)) {
            float[] a = all.get("a").content().at(block);
            float[] b = all.get("b").content().at(block);
            float[] c = all.get("c").content().at(block);
            assertArrayEquals(a, same.at(block));
            for (int i = 0; i < D; i++) {
                double x = 0.3 * a[i] - ((double) b[i] + 2.0 * c[i]) / 7 - a[i];
                assertEquals((float) x, mixed.at(block)[i], Math.abs(x) * 1e-7);
            }
        }
        assertArrayEquals(
                all.get("a").content().extras().get("embedding"), same.extras().get("embedding"));
        assertTrue(mixed.extras().containsKey("embedding"));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void projectionsSplitAVector(long seed) {
        Map<String, VectorFile> all = inputs(seed);
        VectorContent within = run("proj(a, b, c)", all);
        VectorContent rest = run("orth(a, b, c, b)", all);
        for (int block : List.of(1, 2)) {
            float[] a = all.get("a").content().at(block);
            for (String name : List.of("b", "c")) {
                float[] other = all.get(name).content().at(block);
                assertEquals(0, Vectors.cosine(rest.at(block), other), 1e-6);
            }
            for (int i = 0; i < D; i++) {
                assertEquals(a[i], within.at(block)[i] + rest.at(block)[i], 1e-6);
            }
            // Closed form for one direction: (a.b / b.b) b.
            float[] b = all.get("b").content().at(block);
            double share = Vectors.dot(a, b) / Vectors.dot(b, b);
            VectorContent one = run("proj(a, b)", only(all, "a", "b"));
            for (int i = 0; i < D; i++) {
                assertEquals(share * b[i], one.at(block)[i], 1e-6);
            }
        }
    }

    @Test
    void lengthsAndBlocks() {
        Map<String, VectorFile> all = inputs(4);
        for (int block : List.of(1, 2)) {
            assertEquals(1, Vectors.norm(run("unit(a)", only(all, "a")).at(block)), 1e-6);
            VectorContent like = run("like(a, b)", only(all, "a", "b"));
            assertEquals(Vectors.norm(all.get("b").content().at(block)), Vectors.norm(like.at(block)), 1e-5);
            assertEquals(
                    1, Vectors.cosine(like.at(block), all.get("a").content().at(block)), 1e-6);
        }
        assertEquals(List.of(2), run("blocks(a, 2)", only(all, "a")).blocks());
        VectorFile other = file("other", 9, Map.of(), 2, 5);
        Map<String, VectorFile> two = new LinkedHashMap<>(only(all, "a"));
        two.put("o", other);
        VectorContent merged = run("merge(a, o)", two);
        assertEquals(List.of(1, 2, 5), merged.blocks());
        assertArrayEquals(all.get("a").content().at(1), merged.at(1));
        assertArrayEquals(other.content().at(5), merged.at(5));
        for (int i = 0; i < D; i++) {
            assertEquals((all.get("a").content().at(2)[i] + other.content().at(2)[i]) / 2, merged.at(2)[i], 1e-6);
        }
        refused("a + o", two, "[1, 2] and [2, 5]", "merge");
        VectorContent steps = run("incremental(a)", only(all, "a"));
        for (int i = 0; i < D; i++) {
            float[] second = all.get("a").content().at(2);
            assertEquals(second[i] - all.get("a").content().at(1)[i], steps.at(2)[i], 1e-6);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void randomControlsHaveTheLengthsAndAreRepeatable(long seed) {
        Map<String, VectorFile> a = only(inputs(5), "a");
        VectorContent random = run("random(a, " + seed + ")", a);
        for (int block : List.of(1, 2)) {
            assertEquals(Vectors.norm(a.get("a").content().at(block)), Vectors.norm(random.at(block)), 1e-5);
            assertTrue(Math.abs(Vectors.cosine(a.get("a").content().at(block), random.at(block))) < 0.95);
        }
        assertArrayEquals(random.at(2), run("random(a, " + seed + ")", a).at(2));
        assertNotEquals(random.at(2)[0], run("random(a, " + (seed + 1) + ")", a).at(2)[0]);
        assertTrue(Math.abs(Vectors.cosine(random.at(1), random.at(2))) < 0.95);
    }

    @Test
    void theResultSaysWhatItWasMadeOf() {
        Map<String, VectorFile> all = inputs(6);
        VectorContent v = VectorArithmetic.run("2*a", only(all, "a"), "ablate", "twice", false);
        assertEquals("ablate", v.op());
        assertEquals("twice", v.metadata().get("trait"));
        JsonObject arith = Json.parseObject(v.metadata().get("arith"), "arith");
        assertEquals("2*a", arith.get("expression").getAsString());
        JsonObject a = arith.getAsJsonObject("inputs").getAsJsonObject("a");
        assertEquals("a.safetensors", a.get("file").getAsString());
        assertEquals(Provenance.sha256(all.get("a").path()), a.get("sha256").getAsString());
        JsonObject statistics = Json.parseObject(v.metadata().get("statistics"), "statistics");
        assertEquals(
                Vectors.norm(v.at(2)),
                statistics.getAsJsonArray("vector_norm").get(1).getAsDouble());
    }

    @Test
    void vectorsOfDifferentModelsDoNotGoTogether() {
        Map<String, VectorFile> two = new LinkedHashMap<>();
        two.put("a", file("a", 1, Map.of("model", "{\"fingerprint\":\"x\"}"), 1));
        two.put("b", file("b", 2, Map.of("model", "{\"fingerprint\":\"y\"}"), 1));
        refused("a + b", two, "different models", "--force");
        VectorContent forced = VectorArithmetic.run("a + b", two, null, null, true);
        assertTrue(!forced.metadata().containsKey("model"), "bound to one of two models");
        two.put("b", file("b", 2, Map.of("model", "{\"hidden_size\":9}"), 1));
        assertEquals("{\"fingerprint\":\"x\"}", run("a + b", two).metadata().get("model"));
    }

    @Test
    void nonsenseIsRefused() {
        Map<String, VectorFile> a = only(inputs(7), "a");
        refused("", a, "ends too early");
        refused("a +", a, "ends too early");
        refused("a a", a, "operator");
        refused("a + 1", a, "cannot be added");
        refused("a * a", a, "cannot be multiplied");
        refused("1 / a", a, "divide");
        refused("3", a, "a vector is expected");
        refused("x", a, "\"x\" is not given", "a");
        refused("(a", a, "expected \")\"");
        refused("a $ 2", a, "$ 2");
        refused("sin(a)", a, "unknown function", "proj");
        refused("proj(a)", a, "at least 2");
        refused("unit(0*a)", a, "zero");
        refused("a / 0", a, "value 0");
        refused("blocks(a, 7)", a, "no block 7");
        refused("blocks(a, 1.5)", a, "whole number");
        refused("pick(a, 1)", a, "0..0");
        refused("random(a, a)", a, "whole number");
        refused("-".repeat(500) + "a", a, "at most");
        refused("(".repeat(50_000), a, "at most");
        Map<String, VectorFile> unused = only(inputs(7), "a", "b");
        refused("a", unused, "b is given but not used");
    }

    private static void refused(String expression, Map<String, VectorFile> inputs, String... words) {
        TillerException e = assertThrows(TillerException.class, () -> run(expression, inputs));
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
        }
    }
}
