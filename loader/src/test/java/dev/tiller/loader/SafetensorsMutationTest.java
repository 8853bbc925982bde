package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Damaged files: the reader's verdict on each is that of {@link SafetensorsRules}, an error is one line that names the file,
 * and what is read is what the rules say. The profile nightly tries more than a million.
 */
class SafetensorsMutationTest {
    private static final int FILES_PER_SEED = 2000;
    private static final int NIGHTLY_SEEDS = 10;
    private static final int NIGHTLY_FILES = 120_000;
    private static final String VERDICTS = "/safetensors/verdicts.json";

    @TempDir
    Path directory;

    /** Verdicts of one seed: how many files by reason; sound ones under {@code accepted}. */
    private static final class Tally {
        private final Map<String, Integer> reasons = new TreeMap<>();

        void add(String reason) {
            reasons.merge(reason, 1, Integer::sum);
        }

        int accepted() {
            return reasons.getOrDefault("accepted", 0);
        }
    }

    /** How a file reaches the reader. */
    private interface Reader {
        Safetensors read(byte[] bytes, Path path) throws IOException;
    }

    private static Safetensors fromMemory(byte[] bytes, Path path) {
        return new Safetensors(Arena.ofConfined(), path, MemorySegment.ofArray(bytes));
    }

    private static Safetensors fromFile(byte[] bytes, Path path) throws IOException {
        Files.write(path, bytes);
        return Safetensors.open(path);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void damagedFiles(long seed) throws IOException {
        Tally tally = new Tally();
        Path path = directory.resolve("m.safetensors");
        for (int i = 0; i < FILES_PER_SEED; i++) {
            check(
                    seed,
                    i,
                    path,
                    i < FILES_PER_SEED / 4 ? SafetensorsMutationTest::fromFile : SafetensorsMutationTest::fromMemory,
                    tally);
        }
        // Some damage is harmless (a name, a space): if none or all were accepted, the test would test nothing.
        assertTrue(
                tally.accepted() > FILES_PER_SEED / 20 && tally.accepted() < FILES_PER_SEED / 2,
                tally.reasons.toString());
        assertTrue(tally.reasons.size() > 15, tally.reasons.toString());
    }

    /** What came out is kept in loader/src/test/resources/safetensors/fuzz-result.txt. */
    @Test
    @EnabledIfSystemProperty(named = "tiller.nightly", matches = "true")
    void aMillionDamagedFiles() throws IOException {
        StringBuilder report = new StringBuilder();
        TreeMap<String, Integer> all = new TreeMap<>();
        for (long seed = 101; seed <= 100 + NIGHTLY_SEEDS; seed++) {
            Tally tally = new Tally();
            long began = System.nanoTime();
            for (int i = 0; i < NIGHTLY_FILES; i++) {
                check(seed, i, Path.of("m.safetensors"), SafetensorsMutationTest::fromMemory, tally);
            }
            report.append("seed %d: %d files, %d accepted, %d refused, %.1f s%n"
                    .formatted(
                            seed,
                            NIGHTLY_FILES,
                            tally.accepted(),
                            NIGHTLY_FILES - tally.accepted(),
                            (System.nanoTime() - began) / 1e9));
            tally.reasons.forEach((reason, n) -> all.merge(reason, n, Integer::sum));
        }
        all.forEach((reason, n) -> report.append("%9d  %s%n".formatted(n, reason)));
        Files.writeString(Path.of("target", "safetensors-fuzz.txt"), report);
        System.out.print(report);
    }

    private static void check(long seed, int i, Path path, Reader reader, Tally tally) throws IOException {
        byte[] bytes = SafetensorsMutations.file(seed, i);
        String which = "seed " + seed + " file " + i;
        Map<String, SafetensorsRules.Entry> rules = SafetensorsRules.read(bytes);
        try (Safetensors read = reader.read(bytes, path)) {
            if (rules == null) {
                fail(which + ": accepted, but it breaks a rule");
            }
            compare(rules, read, which);
            tally.add("accepted");
        } catch (TillerException e) {
            String message = e.getMessage();
            assertTrue(message.startsWith(path.toString()), which + ": " + message);
            assertTrue(message.indexOf('\n') < 0 && message.length() < 1000, which + ": " + message);
            if (rules != null) {
                fail(which + ": refused, but it breaks no rule: " + message);
            }
            tally.add(reason(message.substring(path.toString().length())));
        } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
            fail(which, e);
        }
    }

    private static void compare(Map<String, SafetensorsRules.Entry> rules, Safetensors read, String which) {
        assertEquals(rules.keySet(), read.tensors().keySet(), which);
        rules.forEach((name, rule) -> {
            TensorView view = read.tensor(name);
            assertEquals(rule.dtype(), view.dtype().name(), which);
            long[] shape = view.shape();
            assertEquals(rule.shape().size(), shape.length, which);
            for (int k = 0; k < shape.length; k++) {
                assertEquals(rule.shape().get(k), shape[k], which);
            }
            assertEquals(rule.end() - rule.begin(), view.data().byteSize(), which);
        });
    }

    /** The message without what varies: names, numbers, places. */
    private static String reason(String message) {
        String text = message.replaceFirst("^: (header: )?", "")
                .replaceAll("unknown dtype .*", "unknown dtype")
                .replaceAll("\"[^\"]*\"?", "..")
                .replaceAll(" at line.*", "")
                .replaceAll("\\[[^\\]]*\\]", "[]")
                .replaceAll("\\b(BOOL|C64|BF16|[FIU]\\d+(_E\\dM\\d(FNUZ)?)?)\\[", "TYPE[")
                .replaceAll("([^-0-9^])[0-9]+", "$1#")
                .replaceAll("found (an object|an array|a string|a number|a boolean|null|the end of it)", "found ..");
        return text.length() <= 100 ? text : text.substring(0, 100);
    }

    /**
     * Nothing that the Python library refuses is accepted. Its verdicts on files of our making are kept, made by
     * verdicts.py beside them; the hash says whether they are verdicts on these files.
     */
    @Test
    void theLibraryIsNeverStricter() throws IOException, NoSuchAlgorithmException {
        JsonObject kept;
        try (InputStream in = getClass().getResourceAsStream(VERDICTS)) {
            kept = Json.parseObject(new String(in.readAllBytes(), StandardCharsets.UTF_8), VERDICTS);
        }
        int stricter = 0;
        int accepted = 0;
        for (Map.Entry<String, JsonElement> e : kept.getAsJsonObject("seeds").entrySet()) {
            long seed = Long.parseLong(e.getKey());
            String verdicts = e.getValue().getAsJsonObject().get("accepted").getAsString();
            byte[] files = SafetensorsMutations.packed(seed, verdicts.length());
            String hash = HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(files));
            assertEquals(e.getValue().getAsJsonObject().get("sha256").getAsString(), hash, "run verdicts.py again");
            for (int i = 0; i < verdicts.length(); i++) {
                boolean ours = accepts(SafetensorsMutations.file(seed, i));
                boolean library = verdicts.charAt(i) == '1';
                assertTrue(library || !ours, "seed " + seed + " file " + i + ": the library refuses it");
                stricter += library && !ours ? 1 : 0;
                accepted += ours ? 1 : 0;
            }
        }
        // names that occur twice, tensors as arrays, more than 1000 dimensions, numbers between 2^63 and 2^64
        assertTrue(
                accepted > 1000 && stricter < accepted / 5,
                accepted + " accepted, " + stricter + " by the library alone");
    }

    private static boolean accepts(byte[] bytes) {
        try (Safetensors read = fromMemory(bytes, Path.of("m.safetensors"))) {
            return read != null;
        } catch (TillerException e) {
            return false;
        }
    }

    /** For verdicts.py: writes the files of a seed. Arguments: seed, number of files, where to. */
    public static void main(String[] args) throws IOException {
        Files.write(Path.of(args[2]), SafetensorsMutations.packed(Long.parseLong(args[0]), Integer.parseInt(args[1])));
    }
}
