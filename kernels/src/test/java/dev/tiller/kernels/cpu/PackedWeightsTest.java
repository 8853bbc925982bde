package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.Buffer;
import dev.tiller.kernels.Matrix;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.loader.DType;
import dev.tiller.loader.TensorView;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files of packed weights: the same numbers as packing anew, and nothing of a file that is not what it should be. */
class PackedWeightsTest {
    private static final int ROWS = 77;
    private static final int COLUMNS = 70;

    @TempDir
    private Path folder;

    private static List<TensorView> tensor(String name, long seed) {
        float[] values = new float[ROWS * COLUMNS];
        Random random = new Random(seed);
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        long[] shape = {ROWS, COLUMNS};
        return List.of(new TensorView(name, DType.F32, shape, MemorySegment.ofArray(values), "test"));
    }

    private static float[] product(SimdBackend b, Matrix w) {
        float[] x = new float[3 * COLUMNS];
        for (int i = 0; i < x.length; i++) {
            x[i] = (i * 7 % 13 - 6) / 8f;
        }
        Buffer out = b.buffer(3, ROWS);
        b.matmul(b.buffer(3, COLUMNS, x), 3, w, null, out);
        float[] result = new float[3 * ROWS];
        b.read(out, 0, 3, result, 0);
        return result;
    }

    private Path write(WeightFormat format, String key) {
        Path file = folder.resolve("w.packed");
        try (SimdBackend b = new SimdBackend(2)) {
            b.matrix(tensor("a", 1), format);
            b.matrix(tensor("b", 2), format);
            b.writePacked(file, key);
        }
        return file;
    }

    @ParameterizedTest
    @EnumSource(WeightFormat.class)
    void givesTheSameNumbers(WeightFormat format) {
        Path file = write(format, "key");
        try (SimdBackend packing = new SimdBackend(1);
                SimdBackend taking = new SimdBackend(2)) {
            taking.takePacked(file, "key");
            for (String name : List.of("b", "a")) {
                long seed = name.equals("a") ? 1 : 2;
                float[] expected = product(packing, packing.matrix(tensor(name, seed), format));
                // another tensor of that name and shape: what counts is the file
                Matrix taken = taking.matrix(tensor(name, 99), format);
                assertArrayEquals(expected, product(taking, taken));
                assertEquals(format, taken.format());
            }
            assertEquals(2, taking.matricesFromFile());
        }
    }

    @Test
    void packsWhatTheFileDoesNotHave() {
        Path file = write(WeightFormat.BF16, "key");
        try (SimdBackend b = new SimdBackend(1);
                SimdBackend plain = new SimdBackend(1)) {
            b.takePacked(file, "key");
            assertArrayEquals(
                    product(plain, plain.matrix(tensor("a", 1), WeightFormat.F32)),
                    product(b, b.matrix(tensor("a", 1), WeightFormat.F32)));
            assertArrayEquals(
                    product(plain, plain.matrix(tensor("c", 3), WeightFormat.BF16)),
                    product(b, b.matrix(tensor("c", 3), WeightFormat.BF16)));
            assertEquals(0, b.matricesFromFile());
        }
    }

    @Test
    void refusesAnotherKeyAndEveryTruncation() throws IOException {
        Path file = write(WeightFormat.Q8, "key");
        byte[] whole = Files.readAllBytes(file);
        try (SimdBackend b = new SimdBackend(1)) {
            TillerException e = assertThrows(TillerException.class, () -> b.takePacked(file, "other"));
            assertTrue(e.getMessage().contains("expected weights of other, found those of key"), e.getMessage());
            for (int length : new int[] {0, 7, 39, 40, 100, 4096, whole.length - 1}) {
                Files.write(file, java.util.Arrays.copyOf(whole, length));
                assertThrows(TillerException.class, () -> b.takePacked(file, "key"), length + " bytes");
            }
            Files.write(file, java.util.Arrays.copyOf(whole, whole.length + 1));
            assertThrows(TillerException.class, () -> b.takePacked(file, "key"));
            assertThrows(TillerException.class, () -> b.takePacked(folder.resolve("absent"), "key"));
        }
    }

    @Test
    void refusesEveryChangeOfHeadAndTable() throws IOException {
        Path file = write(WeightFormat.Q4, "key");
        byte[] whole = Files.readAllBytes(file);
        int table = 40 + whole[16] + (whole[17] << 8);
        assertTrue(table > 60 && table < 4096, "a table of a few lines, found one up to byte " + table);
        try (SimdBackend b = new SimdBackend(1)) {
            for (int at = 0; at < table; at++) {
                byte[] changed = whole.clone();
                changed[at] ^= (byte) (1 << at % 8);
                Files.write(file, changed);
                assertThrows(TillerException.class, () -> b.takePacked(file, "key"), "byte " + at);
            }
        }
    }

    @Test
    void refusesDamagedPanels() throws IOException {
        Path file = write(WeightFormat.BF16, "key");
        byte[] whole = Files.readAllBytes(file);
        try (SimdBackend b = new SimdBackend(1)) {
            for (int at : new int[] {4096, 4096 + ROWS * COLUMNS, 8192 + 5}) {
                byte[] changed = whole.clone();
                changed[at] ^= 16;
                Files.write(file, changed);
                TillerException e = assertThrows(TillerException.class, () -> b.takePacked(file, "key"), "byte " + at);
                assertTrue(e.getMessage().contains("the checksum of "), e.getMessage());
            }
        }
    }

    /**
     * What the same weights are packed to. If this fails, raise {@link PackedWeights#PACKING}, so that files of older
     * versions are not taken for those of this one, and put the new sums here.
     */
    @Test
    void packingHasTheBytesOfItsVersion() {
        assertEquals(3, PackedWeights.PACKING);
        List<String> sums = new ArrayList<>();
        try (SimdBackend b = new SimdBackend(1)) {
            for (WeightFormat format : WeightFormat.values()) {
                PanelMatrix m = (PanelMatrix) b.matrix(tensor("golden", 7), format);
                CRC32C sum = new CRC32C();
                sum.update(m.data.asByteBuffer());
                sums.add(format + " " + Long.toHexString(sum.getValue()));
            }
        }
        assertEquals(GOLDEN.get(Lanes.BITS), sums, "width " + Lanes.BITS);
    }

    /** By vector width. */
    private static final Map<Integer, List<String>> GOLDEN = Map.of(
            128, List.of("F32 d4d09857", "BF16 93ea2ab5", "F16 e98385e6", "Q8 3b950116", "Q4 920e821d"),
            256, List.of("F32 674b038d", "BF16 948e3af6", "F16 9efbfa18", "Q8 50871546", "Q4 1ec3311d"),
            512, List.of("F32 ad5f4200", "BF16 ab3fa49d", "F16 d50e4cec", "Q8 e930a9e3", "Q4 2847b306"));

    @Test
    void anUnwritableFolderIsAnErrorAndLeavesNothing() throws IOException {
        Path absent = folder.resolve("absent");
        try (SimdBackend b = new SimdBackend(1)) {
            b.matrix(tensor("a", 1), WeightFormat.BF16);
            assertThrows(TillerException.class, () -> b.writePacked(absent.resolve("w.packed"), "key"));
        }
        assertFalse(Files.exists(absent));
    }

    @Test
    void manyMayWriteReadAndDeleteAtATime() throws Exception {
        Path file = write(WeightFormat.BF16, "key");
        float[] expected;
        try (SimdBackend b = new SimdBackend(1)) {
            expected = product(b, b.matrix(tensor("a", 1), WeightFormat.BF16));
        }
        List<Callable<Void>> users = new ArrayList<>();
        for (int u = 0; u < 6; u++) {
            int user = u;
            users.add(() -> {
                for (int i = 0; i < 25; i++) {
                    if (user < 2) {
                        write(WeightFormat.BF16, "key");
                    } else if (user == 2) {
                        Files.deleteIfExists(file);
                    } else {
                        try (SimdBackend b = new SimdBackend(1)) {
                            try {
                                b.takePacked(file, "key");
                            } catch (TillerException e) {
                                assertTrue(e.getMessage().contains("NoSuchFile"), e.getMessage());
                            }
                            assertArrayEquals(expected, product(b, b.matrix(tensor("a", 1), WeightFormat.BF16)));
                        }
                    }
                }
                return null;
            });
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(users.size())) {
            for (Future<Void> done : threads.invokeAll(users)) {
                done.get();
            }
        }
        try (var files = Files.list(folder)) {
            assertTrue(files.allMatch(f -> f.equals(file)), "no temporary files are left");
        }
    }
}
