package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.engine.Edit;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.engine.Vectors;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VectorFileTest {
    private static Model model;
    private static PersonaVector vector;

    @TempDir
    Path dir;

    @BeforeAll
    static void extract() {
        model = Microworld.load();
        int[] glad = {5, 6, 7, 8, 9};
        int[] sad = {5, 6, 17, 18};
        vector = Extraction.run(
                model,
                "glad",
                List.of(row(Pole.POS, glad)),
                List.of(row(Pole.NEG, sad)),
                ExtractionOptions.DEFAULT,
                Progress.NONE);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static Rollout row(Pole pole, int[] ids) {
        return new Rollout(0, 0, 0, pole, "q", "p", "a", ids, 2, true, null);
    }

    private Path written() {
        Path file = dir.resolve("glad.safetensors");
        VectorFile.write(file, vector, model, Map.of("seed", "7"));
        return file;
    }

    @Test
    void whatIsWrittenIsReadBack() {
        Path path = written();
        VectorFile file = VectorFile.read(path);
        assertTrue(VectorFile.isVectorFile(path));
        assertFalse(VectorFile.isVectorFile(Microworld.DIRECTORY.resolve("model.safetensors")));
        assertEquals(model.fingerprint(), file.steering().modelFingerprint());
        assertEquals("glad", file.steering().name());
        assertEquals("7", file.metadata().get("seed"));
        assertEquals(model.spec().blocks(), file.steering().blocks().size());
        assertEquals(3 * (model.spec().blocks() + 2), file.tensors().size());
        for (int b = 0; b < model.spec().blocks(); b++) {
            assertArrayEquals(vector.residPost(b), file.steering().perBlock().get(b));
            assertArrayEquals(
                    vector.incremental().perBlock().get(b),
                    file.incremental().perBlock().get(b));
        }
        model.check(SteeringPlan.of(Edit.add(file.steering(), 1, 0)));
    }

    @Test
    void metadataTellsWhatItIsAndHowItWasFound() {
        VectorFile file = VectorFile.read(written());
        assertTrue(file.metadata()
                .keySet()
                .containsAll(Set.of(
                        "format_version",
                        "op",
                        "site",
                        "index_base",
                        "units",
                        "alpha",
                        "trait",
                        "model",
                        "tokenizer",
                        "template",
                        "positions",
                        "method",
                        "statistics",
                        "created_by",
                        "created_at")));
        JsonObject method = file.metadataJson("method").getAsJsonObject();
        assertEquals(1, method.get("pairs_kept").getAsInt());
        assertFalse(method.get("judged").getAsBoolean());
        JsonObject statistics = file.metadataJson("statistics").getAsJsonObject();
        double norm = statistics.getAsJsonArray("vector_norm").get(3).getAsDouble();
        assertEquals(Vectors.norm(vector.residPost(3)), norm, 1e-9);
        assertEquals(1, statistics.getAsJsonArray("auc").get(3).getAsDouble());
        assertTrue(statistics.getAsJsonArray("cohen_d").get(3).isJsonNull());
        double residual = statistics.getAsJsonArray("mean_residual_norm").get(3).getAsDouble();
        assertEquals(vector.meanResidualNorm()[4], residual, 1e-9);
    }

    @Test
    void extraMetadataMustNotReplaceThatOfTheFormat() {
        assertRefused(
                () -> VectorFile.write(dir.resolve("x.safetensors"), vector, model, Map.of("op", "ablate")), "op");
        assertFalse(Files.exists(dir.resolve("x.safetensors")));
    }

    private Path crafted(Map<String, String> changes, String tensor, int width) {
        Map<String, String> metadata = new LinkedHashMap<>(
                Map.of("format_version", "1", "op", "add", "site", "resid_post", "index_base", "0"));
        changes.forEach((k, v) -> metadata.compute(k, (key, old) -> v.isEmpty() ? null : v));
        SafetensorsWriter writer = new SafetensorsWriter();
        metadata.forEach(writer::metadata);
        writer.add("resid_post.0", new long[] {4}, new float[] {1, 2, 3, 4});
        writer.add(tensor, new long[] {width}, new float[width]);
        Path file = dir.resolve("crafted.safetensors");
        writer.write(file);
        return file;
    }

    @Test
    void whatWouldHaveToBeGuessedIsRefused() {
        assertEquals(
                Set.of(0, 2),
                VectorFile.read(crafted(Map.of(), "resid_post.2", 4)).steering().blocks());
        for (String key : List.of("format_version", "op", "site", "index_base")) {
            assertRefused(() -> VectorFile.read(crafted(Map.of(key, ""), "resid_post.2", 4)), key);
            assertRefused(() -> VectorFile.read(crafted(Map.of(key, "7"), "resid_post.2", 4)), key);
        }
        assertRefused(() -> VectorFile.read(crafted(Map.of("op", "sing"), "resid_post.2", 4)), "ablate");
        assertRefused(() -> VectorFile.read(crafted(Map.of("index_base", "1"), "resid_post.2", 4)), "index_base");
        assertRefused(() -> VectorFile.read(crafted(Map.of("site", "mlp_out"), "resid_post.2", 4)), "mlp_out.<block>");
        assertRefused(() -> VectorFile.read(crafted(Map.of(), "resid_post.2", 5)), "width 5");
        assertRefused(() -> VectorFile.read(crafted(Map.of(), "resid_post.02", 4)), "resid_post.02");
        assertRefused(
                () -> VectorFile.read(crafted(Map.of("model", "{\"hidden_size\": 8}"), "resid_post.2", 4)),
                "hidden_size 8");
        assertRefused(
                () -> VectorFile.read(crafted(Map.of("model", "{\"blocks\": 2}"), "resid_post.2", 4)), "2 blocks");
        assertRefused(() -> VectorFile.read(crafted(Map.of("model", "[]"), "resid_post.2", 4)), "model");
        assertRefused(() -> VectorFile.read(Microworld.DIRECTORY.resolve("model.safetensors")), "format_version");
    }

    @Test
    void namesAndFilesAreFound() throws IOException {
        written();
        Path other = Files.createDirectory(dir.resolve("other"));
        VectorStore store = new VectorStore(other, dir);
        assertEquals(List.of("glad"), store.names());
        String byName = "{\"edits\": [{\"op\": \"add\", \"vector\": \"glad\", \"blocks\": [3]}]}";
        SteeringVector found =
                SteeringPlan.parse(byName, "p.json", store).edits().getFirst().vector();
        assertArrayEquals(vector.residPost(3), found.perBlock().get(3));
        String incremental = byName.replace("\"glad\"", "{\"file\": \"glad.safetensors\", \"incremental\": true}");
        SteeringVector step = SteeringPlan.parse(incremental, "p.json", store)
                .edits()
                .getFirst()
                .vector();
        assertArrayEquals(
                vector.incremental().perBlock().get(3), step.perBlock().get(3));
        String tensor = byName.replace("\"glad\"", "{\"file\": \"glad.safetensors\", \"tensor\": \"resid_post.5\"}");
        SteeringVector one =
                SteeringPlan.parse(tensor, "p.json", store).edits().getFirst().vector();
        assertArrayEquals(vector.residPost(5), one.uniform());
        assertEquals(model.fingerprint(), one.modelFingerprint());
    }

    @Test
    void theFirstDirectoryWins() throws IOException {
        written();
        Path other = Files.createDirectory(dir.resolve("other"));
        new SafetensorsWriter().add("v", new long[] {2}, new float[] {1, 2}).write(other.resolve("glad.safetensors"));
        new SafetensorsWriter().add("m", new long[] {1, 2}, new float[] {1, 2}).write(other.resolve("m.safetensors"));
        VectorStore store = new VectorStore(other, dir);
        assertArrayEquals(
                new float[] {1, 2},
                store.resolve(reference(null, "glad.safetensors", "v")).uniform());
        assertRefused(() -> store.resolve(reference("glad", null, null)), "format_version");
        assertRefused(() -> store.resolve(reference("gla", null, null)), "known names: glad, m");
        assertRefused(() -> store.resolve(reference("../glad", null, null)), "a name, not a path");
        assertRefused(() -> store.resolve(reference(null, "none.safetensors", null)), "none.safetensors");
        assertRefused(() -> store.resolve(reference(null, "a\0b", null)), "no file name");
        assertRefused(() -> store.resolve(reference(null, "m.safetensors", "m")), "one dimension");
        assertRefused(() -> store.resolve(reference(null, "m.safetensors", "v")), "v");
    }

    @Test
    void whatWasReadIsKeptUntilTheFileChanges() {
        written();
        VectorStore store = new VectorStore(dir);
        SteeringVector first = store.resolve(reference("glad", null, null));
        assertSame(first, store.resolve(reference("glad", null, null)));
        assertSame(first, new VectorStore(dir).resolve(reference(null, "glad.safetensors", null)));
        SteeringVector tensor = store.resolve(reference(null, "glad.safetensors", "resid_post.1"));
        assertSame(tensor, store.resolve(reference(null, "glad.safetensors", "resid_post.1")));
        assertNotSame(tensor, store.resolve(reference(null, "glad.safetensors", "resid_post.2")));
        VectorFile.write(dir.resolve("glad.safetensors"), vector, model, Map.of("seed", "other"));
        SteeringVector again = store.resolve(reference("glad", null, null));
        assertNotSame(first, again);
        assertArrayEquals(first.perBlock().get(2), again.perBlock().get(2));
    }

    @Test
    void otherOperationsAndSeveralDirections() {
        VectorFile ablate = VectorFile.read(crafted(Map.of("op", "ablate"), "resid_post.2", 4));
        assertEquals("ablate", ablate.op());
        SafetensorsWriter writer = new SafetensorsWriter();
        Map.of("format_version", "1", "op", "ablate", "site", "mlp_out", "index_base", "0")
                .forEach(writer::metadata);
        writer.add("mlp_out.1", new long[] {2, 3}, new float[] {1, 2, 3, 4, 5, 6});
        Path path = dir.resolve("several.safetensors");
        writer.write(path);
        VectorFile several = VectorFile.read(path);
        assertEquals(2, several.content().rank());
        assertArrayEquals(new float[] {4, 5, 6}, several.content().directions().get(1)[1]);
        assertRefused(several::steering, "2 directions");
        Path copy = dir.resolve("copy.safetensors");
        VectorFile.write(copy, several.content());
        assertArrayEquals(
                several.content().directions().get(1),
                VectorFile.read(copy).content().directions().get(1));
    }

    @Test
    void aFileOfDifferentOperationsIsNotSteeredWith() {
        VectorFile mixed = VectorFile.read(crafted(Map.of("op", VectorContent.MIXED), "resid_post.2", 4));
        assertRefused(mixed::steering, "different operations");
    }

    private static dev.tiller.engine.VectorResolver.Reference reference(String name, String file, String tensor) {
        return new dev.tiller.engine.VectorResolver.Reference(name, file, tensor, false);
    }

    @Test
    void aVectorOfAnotherModelIsRefused() {
        SteeringVector ours = VectorFile.read(written()).steering();
        Path other = SharedFiles.require("fixtures/architectures/qwen2");
        try (Model stranger = Model.load(other)) {
            assertRefused(() -> stranger.check(SteeringPlan.of(Edit.add(ours, 1, 0))), "another model");
            assertRefused(
                    () -> VectorFile.write(dir.resolve("y.safetensors"), vector, stranger, Map.of()), "another model");
        }
    }

    @Test
    void randomVectorsAreAsLongAndPointElsewhere() {
        PersonaVector random = vector.randomLike(3);
        for (int b = 0; b < vector.blocks(); b++) {
            assertEquals(Vectors.norm(vector.residPost(b)), Vectors.norm(random.residPost(b)), 1e-4);
            assertTrue(Math.abs(Vectors.cosine(vector.residPost(b), random.residPost(b))) < 0.3);
        }
        assertArrayEquals(random.residPost(2), vector.randomLike(3).residPost(2));
    }

    private static void assertRefused(org.junit.jupiter.api.function.Executable job, String part) {
        TillerException e = assertThrows(TillerException.class, job);
        assertTrue(e.getMessage().contains(part) && e.getMessage().lines().count() == 1, e.getMessage());
    }
}
