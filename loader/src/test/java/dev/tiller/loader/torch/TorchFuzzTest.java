package dev.tiller.loader.torch;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged files are read or refused with a user error; nothing else is thrown, nothing hangs, nothing fills the memory. */
class TorchFuzzTest {
    private static final int ROUNDS = 1500;

    private static final int[] NASTY = {0, 1, -1, 31, 255, 65535, 65536, Integer.MAX_VALUE, Integer.MIN_VALUE};

    /** Opcodes and arguments that a pickle of tensors is made of, and some that it is not. */
    private static final String OPCODES = "().}]tuaesQRbqhjKMJXGNciorc\u0080\u0085\u0086\u0087\u008a\u0093\u0094\u0095";

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    @Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void damagedFilesAreReadOrRefused(long seed) throws Exception {
        Path sound = Path.of(getClass().getResource("/torch/mixed.pt").toURI());
        byte[] whole = Files.readAllBytes(sound);
        byte[] pickle = pickle(sound);
        Random random = new Random(seed);
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            // Most hits go to the pickle, under a right check sum; the others to the archive around it.
            Path file = random.nextInt(4) > 0
                    ? TorchBytes.write(folder, damage(pickle, random), new byte[96])
                    : Files.write(folder.resolve("archive.pt"), damage(whole, random));
            try (TorchFile read = TorchFile.open(file)) {
                for (TorchTensor t : read.tensors().values()) {
                    if (t.dtype().isFloat()) {
                        t.toFloats();
                        t.isExact();
                    } else {
                        t.toLongs();
                    }
                }
            } catch (TillerException e) {
                refused++;
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + ", round " + round, e);
            }
        }
        assertTrue(refused > ROUNDS / 4 && refused < ROUNDS, refused + " of " + ROUNDS + " refused");
    }

    /** The pickle of a file with one tensor of 24 floats, of the same kind as the storage that the test gives it. */
    private byte[] pickle(Path mixed) throws IOException {
        Path file = folder.resolve("one.pt");
        TorchWriter.write(
                file,
                java.util.Map.of(
                        "tensor",
                        new TorchWriter.Tensor(new long[] {4, 6}, new float[24]),
                        "list",
                        java.util.List.of(1, "two", 3.0, true)));
        try (ZipFile zip = new ZipFile(file.toFile())) {
            return zip.getInputStream(zip.getEntry("one/data.pkl")).readAllBytes();
        }
    }

    private static byte[] damage(byte[] sound, Random random) {
        byte[] bytes = sound.clone();
        for (int n = random.nextInt(4) == 0 ? 3 : 1; n > 0; n--) {
            int at = random.nextInt(bytes.length - 4);
            switch (random.nextInt(5)) {
                case 0 -> bytes[at] = (byte) random.nextInt();
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> bytes[at] = (byte) OPCODES.charAt(random.nextInt(OPCODES.length()));
                case 3 ->
                    ByteBuffer.wrap(bytes)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putInt(at, NASTY[random.nextInt(NASTY.length)]);
                default -> {
                    int from = random.nextInt(bytes.length - 4);
                    System.arraycopy(
                            sound, from, bytes, at, Math.min(random.nextInt(20), bytes.length - Math.max(at, from)));
                }
            }
        }
        return random.nextInt(10) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
    }
}
