package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged files are read or refused with a user error; nothing else is thrown, and nothing hangs. */
class GgufFuzzTest {
    private static final int ROUNDS = 1500;

    private static final long[] NASTY = {
        0, 1, -1, 31, 255, 65536, Integer.MAX_VALUE, 1L << 31, 0xFFFFFFFFL, 1L << 60, Long.MAX_VALUE, Long.MIN_VALUE
    };

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    @Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void damagedModelsAreReadOrRefused(long seed) {
        damaged(TinyLlama.model().build(), seed);
    }

    /** The same with every type of blocks, of 32 and of 256 numbers. */
    @ParameterizedTest
    @ValueSource(longs = {5, 6})
    @Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void damagedQuantisedModelsAreReadOrRefused(long seed) {
        damaged(TinyQuantised.model(seed).build(), seed);
    }

    private void damaged(byte[] sound, long seed) {
        // Tensor data has nothing to damage: all hits go to the header, which ends soon after the last tensor's name.
        int header = new String(sound, StandardCharsets.ISO_8859_1).lastIndexOf("ffn_down") + 64;
        Random random = new Random(seed);
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            Path path = GgufBytes.write(folder, damage(sound, header, random));
            try {
                readEverything(path);
            } catch (TillerException e) {
                refused++;
                assertTrue(
                        e.getMessage() != null && e.getMessage().length() < 2000, "seed " + seed + " round " + round);
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + ", round " + round, e);
            }
        }
        assertTrue(refused > ROUNDS / 4 && refused < ROUNDS, refused + " of " + ROUNDS + " refused");
    }

    private static byte[] damage(byte[] sound, int header, Random random) {
        byte[] bytes = sound.clone();
        for (int n = random.nextInt(4) == 0 ? 3 : 1; n > 0; n--) {
            int at = random.nextInt(header - 8);
            switch (random.nextInt(4)) {
                case 0 -> bytes[at] = (byte) random.nextInt();
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> little(bytes).putLong(at, NASTY[random.nextInt(NASTY.length)]);
                default -> little(bytes).putInt(at, (int) NASTY[random.nextInt(NASTY.length)]);
            }
        }
        return random.nextInt(10) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
    }

    private static ByteBuffer little(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void readEverything(Path path) {
        try (Gguf file = Gguf.open(path)) {
            for (String key : file.metadata().keys()) {
                try {
                    file.metadata().describe(key);
                } catch (TillerException e) {
                    // A damaged value must not keep the others from being read.
                }
            }
        }
        try (GgufModel model = GgufModel.open(path);
                Gguf file = Gguf.open(path)) {
            model.tensorNames().forEach(name -> model.find(name).orElseThrow().toFloats());
            model.specialTokens();
            model.chatTemplateSource();
            GgufTokens.vocabulary(file, model.config());
        }
    }
}
