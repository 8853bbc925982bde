package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.engine.Calibration;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.TokenizedText;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.TillerException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CalibratorTest {
    private static final List<String> PROMPTS = List.of(
            "How will my plan go?", "Will the boat be ready?", "What are the chances for the speech on Saturday?");
    private static final int TOKENS = 24;

    private static Model model;

    @TempDir
    private Path folder;

    @BeforeAll
    static void load() {
        model = Microworld.load();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    /** A vector file with random directions at some blocks, bound to the model. */
    static Path vectorFile(Path file, Model model, long seed, String op, Site site, int... blocks) {
        Random random = new Random(seed);
        TreeMap<Integer, float[][]> directions = new TreeMap<>();
        for (int b : blocks) {
            float[] v = new float[model.spec().width()];
            for (int i = 0; i < v.length; i++) {
                v[i] = (float) random.nextGaussian() / 4;
            }
            directions.put(b, new float[][] {v});
        }
        Map<String, String> metadata = new LinkedHashMap<>(VectorFile.modelMetadata(model));
        metadata.put("trait", "noise");
        VectorFile.write(file, new VectorContent(op, site, directions, Map.of(), metadata));
        return file;
    }

    private static Calibrator.Options options(List<Integer> blocks, double... targets) {
        return new Calibrator.Options(
                blocks, java.util.Arrays.stream(targets).boxed().toList(), TOKENS);
    }

    private float coefficient(Path file, String unit, double value, int block) {
        String json = "{\"edits\": [{\"op\": \"add\", \"vector\": {\"file\": \"" + file.getFileName()
                + "\"}, \"blocks\": [" + block + "], \"coefficient\": {\"" + unit + "\": " + value + "}}]}";
        SteeringPlan plan = SteeringPlan.parse(json, "test", new VectorStore(folder));
        return model.resolve(plan).edits().getFirst().coefficients().getFirst();
    }

    @Test
    void unitsMeanWhatTheySay() {
        List<TokenizedText> texts = Calibrator.answered(model, PROMPTS, TOKENS, Progress.NONE);
        for (long seed : new long[] {1, 2}) {
            Path file =
                    vectorFile(folder.resolve("v" + seed + ".safetensors"), model, seed, "add", Site.RESID_POST, 2, 4);
            VectorFile before = VectorFile.read(file);
            SteeringVector vector = before.steering();
            Calibrator.Result r = Calibrator.run(model, vector, PROMPTS, options(List.of(4), 0.5, 0.05), Progress.NONE);
            assertEquals(Map.of(), r.missed());
            assertEquals(PROMPTS.size(), r.prompts());
            JsonObject method = CalibrationRecord.method(model, PROMPTS, TOKENS, r.positions());
            CalibrationRecord.write(before, file, r.calibration(), method);
            for (int block : new int[] {2, 4}) {
                double length = Vectors.norm(vector.at(Site.RESID_POST, block));
                Calibration c = r.calibration().get(block);
                assertEquals(c.sd(), coefficient(file, "sd", 1, block) * length, 1e-6 * c.sd());
                assertEquals(
                        -0.3 * c.residualNorm(),
                        coefficient(file, "norm", -0.3, block) * length,
                        1e-5 * c.residualNorm());
            }
            for (double kl : new double[] {0.5, 0.05, -0.5, -0.05}) {
                float c = coefficient(file, "kl", kl, 4);
                assertEquals(Math.signum(kl), Math.signum(c));
                double found = Calibrator.meanDivergence(
                        model,
                        texts,
                        List.of(SteeringPlan.of(dev.tiller.engine.Edit.add(vector, c, 4))),
                        "",
                        Progress.NONE)[0];
                assertEquals(Math.abs(kl), found, 0.05 * Math.abs(kl), "seed " + seed + ", kl " + kl);
            }
            TillerException none = assertThrows(TillerException.class, () -> coefficient(file, "kl", 0.5, 2));
            assertTrue(none.getMessage().contains("tiller calibrate"), none.getMessage());
        }
    }

    @Test
    void onlyTheMetadataChanges() {
        Path file = vectorFile(folder.resolve("keep.safetensors"), model, 3, "add", Site.RESID_PRE, 1, 5);
        Path out = folder.resolve("other.safetensors");
        VectorFile before = VectorFile.read(file);
        JsonObject method = null;
        for (int block : new int[] {1, 5}) {
            Calibrator.Result r =
                    Calibrator.run(model, before.steering(), PROMPTS, options(List.of(block), 0.1), Progress.NONE);
            method = CalibrationRecord.method(model, PROMPTS, TOKENS, r.positions());
            CalibrationRecord.write(block == 1 ? before : VectorFile.read(out), out, r.calibration(), method);
        }
        VectorFile after = VectorFile.read(out);
        for (int block : new int[] {1, 5}) {
            assertArrayEquals(before.content().at(block), after.content().at(block));
            // the second run keeps what the first one measured in the same way
            assertTrue(after.steering().calibration().get(block).coefficients().size() > 2);
        }
        Map<String, String> rest = new LinkedHashMap<>(after.metadata());
        rest.remove(Calibrations.KEY);
        rest.remove(CalibrationRecord.METHOD);
        assertEquals(before.metadata(), rest);
        // measured in another way, they are not mixed
        Calibrator.Result r = Calibrator.run(
                model, before.steering(), PROMPTS.subList(0, 1), options(List.of(1), 0.1), Progress.NONE);
        CalibrationRecord.write(
                after,
                out,
                r.calibration(),
                CalibrationRecord.method(model, PROMPTS.subList(0, 1), TOKENS, r.positions()));
        assertEquals(
                0,
                VectorFile.read(out)
                        .steering()
                        .calibration()
                        .get(5)
                        .coefficients()
                        .size());
    }

    @Test
    void promptsComeFromLinesListsAndTraits() throws Exception {
        Path lines = java.nio.file.Files.writeString(folder.resolve("p.txt"), "one\n\n  two \r\n");
        assertEquals(List.of("one", "two"), Prompts.read(lines));
        Path list = java.nio.file.Files.writeString(folder.resolve("p.json"), "[\"a\", \"b\"]");
        assertEquals(List.of("a", "b"), Prompts.read(list));
        assertEquals(
                Microworld.trait("optimistic").questions(),
                Prompts.read(Microworld.DIRECTORY.resolve("traits/optimistic.json")));
        for (String bad : List.of("[]", "[1]", "[\" \"]", "3")) {
            Path file = java.nio.file.Files.writeString(folder.resolve("bad.json"), bad);
            assertThrows(TillerException.class, () -> Prompts.read(file), bad);
        }
    }

    @Test
    void storedCalibrationsAreRead() {
        TreeMap<Double, Double> kl = new TreeMap<>(Map.of(0.5, 1.5, -0.5, -1.25));
        Map<Integer, Calibration> c = Map.of(3, new Calibration(10, -0.5, 2, kl), 5, Calibration.ofNorm(4));
        String json = Calibrations.write(c);
        assertEquals(c, Calibrations.read(Map.of(Calibrations.KEY, json), List.of(3, 5), "v"));
        String statistics = "{\"mean_residual_norm\": [1.5, 2.5]}";
        Map<Integer, Calibration> old = Calibrations.read(Map.of("statistics", statistics), List.of(0, 1), "v");
        assertEquals(2.5, old.get(1).residualNorm());
        for (String wrong : List.of(
                "[]",
                "{\"a\": {}}",
                "{\"3\": 5}",
                "{\"3\": {\"kl\": 5}}",
                "{\"3\": {\"kl\": [[1]]}}",
                "{\"3\": {\"kl\": [[1, -1]]}}")) {
            String message = assertThrows(
                            TillerException.class,
                            () -> Calibrations.read(Map.of(Calibrations.KEY, wrong), List.of(3), "v"))
                    .getMessage();
            assertTrue(message.contains("calibration"), message);
        }
    }
}
