package dev.tiller.persona.vectors;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Damaged files of other tools are imported or refused with a user error, whatever the user says they are. */
class VectorImportFuzzTest {
    private static final int ROUNDS = 400;

    @TempDir
    Path dir;

    @ParameterizedTest
    @CsvSource({
        "glp_rank2.gguf, 1",
        "lite.safetensors, 2",
        "saklas.safetensors, 3",
        "rows.svec, 4",
        "by_layer.pt, 5",
        "refusal/mean_diffs.pt, 6",
        "kind_response_avg_diff.pt, 7"
    })
    @Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void damagedFilesAreImportedOrRefused(String name, long seed) throws Exception {
        byte[] sound = Files.readAllBytes(
                Path.of(getClass().getResource("/vectors/" + name).toURI()));
        Path file = dir.resolve(Path.of(name).getFileName());
        Random random = new Random(seed);
        Tool[] tools = Tool.values();
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] bytes = sound.clone();
            for (int n = 1 + random.nextInt(3); n > 0; n--) {
                int at = random.nextInt(bytes.length);
                if (random.nextBoolean()) {
                    bytes[at] ^= (byte) (1 << random.nextInt(8));
                } else {
                    bytes[at] = bytes[random.nextInt(bytes.length)];
                }
            }
            Files.write(file, random.nextInt(10) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes);
            Tool tool = random.nextInt(3) == 0 ? tools[random.nextInt(tools.length)] : null;
            Integer position = random.nextBoolean() ? null : random.nextInt(4) - 2;
            try {
                VectorImport.read(
                        file, new ImportOptions(tool, null, position, null, null, null, random.nextInt(8) == 0, null));
            } catch (TillerException e) {
                refused++;
                assertTrue(e.getMessage().startsWith(file + ": "), e.getMessage());
            } catch (Throwable e) {
                throw new AssertionError(name + ", round " + round, e);
            }
        }
        assertTrue(refused > ROUNDS / 20, refused + " of " + ROUNDS + " refused");
    }
}
