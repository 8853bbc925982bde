package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cpu.SimdBackend;
import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The user's cache of packed weights: found by content only, and never a reason to fail. */
class WeightCacheTest {
    private static final Path BUNDLED = Path.of("../models/microworld");

    @TempDir
    private Path folder;

    private Path model;
    private WeightCache cache;

    @BeforeEach
    void copyModel() throws IOException {
        model = Files.createDirectory(folder.resolve("micro.world"));
        try (Stream<Path> files = Files.list(BUNDLED)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, model.resolve(file.getFileName()));
            }
        }
        cache = new WeightCache(folder.resolve("cache").resolve("weights"));
    }

    private boolean found(WeightFormat format) {
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            return Files.exists(cache.file(checkpoint, format));
        }
    }

    @Test
    void aFolderThatOthersCanWriteToIsNotTrusted() throws IOException {
        assumeTrue(folder.getFileSystem().supportedFileAttributeViews().contains("posix"), "no file permissions here");
        cache.add(model, WeightFormat.Q8);
        assertTrue(taken(WeightFormat.Q8) > 0);
        Files.setPosixFilePermissions(cache.folder(), PosixFilePermissions.fromString("rwxrwxrwx"));
        assertEquals(0, taken(WeightFormat.Q8));
        TillerException e = assertThrows(TillerException.class, () -> cache.add(model, WeightFormat.Q8));
        assertTrue(e.getMessage().contains("only its owner can write to"), e.getMessage());
    }

    /** Loads the weights the way a model does, with this test's cache. */
    private int taken(WeightFormat format) {
        try (Checkpoint checkpoint = Checkpoint.open(model);
                SimdBackend backend = new SimdBackend(2)) {
            cache.attach(backend, checkpoint, format);
            Weights.load(checkpoint, ModelSpec.of(checkpoint.config()), backend, format);
            return backend.matricesFromFile();
        }
    }

    @Test
    void addListTakeClear() {
        assertEquals(List.of(), cache.list());
        assertEquals(0, taken(WeightFormat.BF16));
        Path file = cache.add(model, WeightFormat.BF16);
        assertTrue(taken(WeightFormat.BF16) > 1);
        assertEquals(0, taken(WeightFormat.Q8), "another format");
        cache.add(model, null);
        List<WeightCache.Entry> entries = cache.list();
        assertEquals(2, entries.size());
        WeightCache.Entry entry =
                entries.stream().filter(e -> e.file().equals(file)).findFirst().orElseThrow();
        assertEquals("micro.world", entry.model());
        assertEquals("bf16", entry.format());
        assertEquals(0, cache.clear("another"));
        assertTrue(cache.clear("micro.world") > 1000);
        assertFalse(found(WeightFormat.BF16));
    }

    @Test
    void aChangedModelIsAnotherModel() throws IOException {
        cache.add(model, WeightFormat.BF16);
        Path weights = model.resolve("model.safetensors");
        FileTime time = Files.getLastModifiedTime(weights);
        String before = key();
        Files.setLastModifiedTime(weights, FileTime.fromMillis(time.toMillis() + 5000));
        assertNotEquals(before, key());
        assertEquals(0, taken(WeightFormat.BF16));
        Files.setLastModifiedTime(weights, time);
        assertEquals(before, key());
        byte[] bytes = Files.readAllBytes(weights);
        bytes[bytes.length - 1] ^= 1;
        Files.write(weights, bytes);
        Files.setLastModifiedTime(weights, time);
        assertNotEquals(before, key());
    }

    private String key() {
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            return WeightCache.key(checkpoint, WeightFormat.BF16);
        }
    }

    @Test
    void aDamagedFileIsNotUsedAndCanBeReplaced() throws IOException {
        Path file = cache.add(model, WeightFormat.BF16);
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length / 2));
        assertEquals(0, taken(WeightFormat.BF16));
        Files.writeString(file, "not weights");
        assertEquals(0, taken(WeightFormat.BF16));
        cache.add(model, WeightFormat.BF16);
        assertArrayEquals(whole, Files.readAllBytes(file));
        assertTrue(taken(WeightFormat.BF16) > 1);
    }

    @Test
    void aFolderThatCannotBeMadeIsAnError() throws IOException {
        Path occupied = Files.writeString(folder.resolve("file"), "");
        WeightCache none = new WeightCache(occupied.resolve("weights"));
        TillerException e = assertThrows(TillerException.class, () -> none.add(model, null));
        assertTrue(e.getMessage().contains("expected a folder"), e.getMessage());
    }

    @Test
    void oldLeftoversGoAndNewOnesStay() throws IOException {
        cache.add(model, null);
        Path old = Files.writeString(cache.folder().resolve(".x.packed.1.tmp"), "");
        Path young = Files.writeString(cache.folder().resolve(".x.packed.2.tmp"), "");
        Files.setLastModifiedTime(old, FileTime.fromMillis(0));
        cache.clear(null);
        assertFalse(Files.exists(old));
        assertTrue(Files.exists(young), "may be in the making");
    }

    @Test
    void whereTheUsersCacheIs() {
        assertEquals(
                Path.of("/a/weights"),
                WeightCache.ofUser(Map.of("TILLER_CACHE", "/a", "XDG_CACHE_HOME", "/b"))
                        .folder());
        assertEquals(
                Path.of("/b/tiller/weights"),
                WeightCache.ofUser(Map.of("XDG_CACHE_HOME", "/b", "HOME", "/h")).folder());
        assertEquals(
                Path.of("/h/.cache/tiller/weights"),
                WeightCache.ofUser(Map.of("XDG_CACHE_HOME", "relative", "HOME", "/h"))
                        .folder());
    }

    @Test
    void resultsAreThoseOfPackingAnew() {
        for (WeightFormat format : new WeightFormat[] {null, WeightFormat.BF16, WeightFormat.Q8, WeightFormat.Q4}) {
            cache.add(model, format);
            float[] expected = logits(format, false);
            assertArrayEquals(expected, logits(format, true), String.valueOf(format));
        }
    }

    private float[] logits(WeightFormat format, boolean cached) {
        try (Checkpoint checkpoint = Checkpoint.open(model);
                SimdBackend backend = new SimdBackend(2)) {
            if (cached) {
                cache.attach(backend, checkpoint, format);
            }
            ModelSpec spec = ModelSpec.of(checkpoint.config());
            Weights weights = Weights.load(checkpoint, spec, backend, format);
            assertEquals(cached, backend.matricesFromFile() > 0);
            var attention = spec.attention();
            KvCache kv = new KvCache(
                    backend.kvPages(spec.blocks(), attention.kvHeads(), attention.headDim(), WeightFormat.F32),
                    Long.MAX_VALUE);
            Transformer transformer = new Transformer(spec, weights, backend, kv);
            Step step = new Step(spec.vocabulary(), spec.maxPositions());
            step.add(
                    new Sequence(kv, Treatment.of(CompiledPlan.NONE, 5)),
                    new int[] {1, 2, 3, 4, 5},
                    0,
                    5,
                    Step.Logits.ALL);
            float[] out = new float[5 * spec.vocabulary()];
            backend.read(transformer.forward(step, Taps.NONE), 0, 5, out, 0);
            return out;
        }
    }
}
