package dev.tiller.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged files: each is either refused with an error of one line or is consistent by a second, independent check. */
class SafetensorsMutationTest {
    private static final int FILES_PER_SEED = 1500;

    private static final String HEADER = "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"\\u00e9\\ud83d\\ude00\"},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
            + "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32],\"x\":[1,{\"y\":null}]},"
            + "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,9],\"data_offsets\":[32,32]},"
            + "\"c\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[32,40]},"
            + "\"d\":{\"dtype\":\"F4\",\"shape\":[2,1],\"data_offsets\":[40,41]}}   ";

    /** Pieces that matter in a header, to make damage that is nearly right. */
    private static final String[] PIECES = {
        "0",
        "1",
        "-1",
        "9",
        "00",
        "e1",
        ".0",
        "99999999999999999999",
        "4294967296",
        "9223372036854775807",
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "{",
        "}",
        "[",
        "]",
        "[[[[",
        ",",
        ":",
        " ",
        "\n",
        "\u0000",
        "null",
        "true",
        "NaN",
        "\"a\"",
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},",
        "\"dtype\":\"U8\",",
        "\"shape\":[1],",
        "\"F64\"",
        "\"U8\"",
        "é",
        "//",
        "/**/",
        "#",
        "'",
        ";",
        "="
    };

    @TempDir
    Path directory;

    private static byte[] file(byte[] header, int data) {
        ByteBuffer out = ByteBuffer.allocate(8 + header.length + data).order(ByteOrder.LITTLE_ENDIAN);
        return out.putLong(header.length).put(header).array();
    }

    static byte[] mutate(Random random) {
        byte[] header = HEADER.getBytes(StandardCharsets.UTF_8);
        int edits = 1 + random.nextInt(3);
        for (int i = 0; i < edits; i++) {
            header = edit(header, random);
        }
        byte[] file = file(header, random.nextInt(8) == 0 ? random.nextInt(60) : 41);
        return switch (random.nextInt(12)) {
            case 0 -> Arrays.copyOf(file, random.nextInt(file.length + 1));
            case 1 -> {
                file[random.nextInt(8)] ^= (byte) (1 << random.nextInt(8));
                yield file;
            }
            default -> file;
        };
    }

    private static byte[] edit(byte[] bytes, Random random) {
        int at = random.nextInt(bytes.length);
        int end = Math.min(bytes.length, at + random.nextInt(4));
        byte[] piece = switch (random.nextInt(4)) {
            case 0 -> new byte[] {(byte) random.nextInt(256)};
            case 1 -> new byte[0];
            case 2 -> Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + random.nextInt(80)));
            default -> PIECES[random.nextInt(PIECES.length)].getBytes(StandardCharsets.UTF_8);
        };
        ByteBuffer out = ByteBuffer.allocate(at + piece.length + bytes.length - end);
        return out.put(bytes, 0, at)
                .put(piece)
                .put(bytes, end, bytes.length - end)
                .array();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void damagedHeaders(long seed) throws IOException {
        int accepted = 0;
        Path path = directory.resolve("m.safetensors");
        for (int i = 0; i < FILES_PER_SEED; i++) {
            byte[] bytes = mutate(new Random(seed * 1_000_003 + i));
            String which = "seed " + seed + " file " + i;
            Files.write(path, bytes);
            try (Safetensors read = Safetensors.open(path)) {
                accepted++;
                checkConsistent(bytes, read, which);
            } catch (TillerException e) {
                assertTrue(e.getMessage().startsWith(path.toString()), which + ": " + e.getMessage());
                assertTrue(e.getMessage().indexOf('\n') < 0, which + ": " + e.getMessage());
            } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                fail(which, e);
            }
        }
        // Some damage is harmless (a name, a space): if none or all were accepted, the test would test nothing.
        assertTrue(accepted > 20 && accepted < FILES_PER_SEED / 2, "seed " + seed + ": accepted " + accepted);
    }

    /** Reads the header again by other means and adds up the sizes in unbounded arithmetic. */
    private static void checkConsistent(byte[] bytes, Safetensors read, String which) {
        int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        JsonObject header = JsonParser.parseString(new String(bytes, 8, length, StandardCharsets.UTF_8))
                .getAsJsonObject();
        header.remove("__metadata__");
        assertEquals(header.keySet(), read.tensors().keySet(), which);
        List<long[]> ranges = new ArrayList<>();
        for (Map.Entry<String, JsonElement> entry : header.entrySet()) {
            JsonObject tensor = entry.getValue().getAsJsonObject();
            TensorView view = read.tensor(entry.getKey());
            BigInteger bits = BigInteger.valueOf(
                    DType.parse(tensor.get("dtype").getAsString()).bits());
            for (JsonElement dimension : tensor.getAsJsonArray("shape")) {
                bits = bits.multiply(dimension.getAsBigInteger());
            }
            long begin = tensor.getAsJsonArray("data_offsets").get(0).getAsLong();
            long end = tensor.getAsJsonArray("data_offsets").get(1).getAsLong();
            assertEquals(BigInteger.valueOf(8 * (end - begin)), bits, which);
            assertEquals(end - begin, view.data().byteSize(), which);
            ranges.add(new long[] {begin, end});
        }
        ranges.sort(Comparator.<long[]>comparingLong(r -> r[0]).thenComparingLong(r -> r[1]));
        long at = 0;
        for (long[] range : ranges) {
            assertEquals(at, range[0], which);
            at = range[1];
        }
        assertEquals(bytes.length - 8 - length, at, which);
    }
}
