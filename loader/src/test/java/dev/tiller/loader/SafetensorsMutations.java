package dev.tiller.loader;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** Small safetensors files with faults: sound ones whose bytes were hit, and headers built of values that are nearly right. */
final class SafetensorsMutations {
    private static final String HEADER = "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"\\u00e9\\ud83d\\ude00\"},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
            + "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32],\"x\":[1,{\"y\":null}]},"
            + "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,9],\"data_offsets\":[32,32]},"
            + "\"c\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[32,40]},"
            + "\"d\":{\"dtype\":\"F4\",\"shape\":[2,1],\"data_offsets\":[40,41]}}   ";

    /** Pieces that matter in a header. */
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
        "\ufeff",
        "\u2028",
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

    /** Name and bits of an element. */
    private record Type(String name, int bits) {}

    private static final List<Type> TYPES = List.of(
            new Type("F32", 32),
            new Type("F16", 16),
            new Type("BF16", 16),
            new Type("F64", 64),
            new Type("I64", 64),
            new Type("U8", 8),
            new Type("BOOL", 8),
            new Type("C64", 64),
            new Type("F8_E4M3", 8),
            new Type("F8_E5M2", 8),
            new Type("F8_E8M0", 8),
            new Type("F4", 4),
            new Type("F6_E2M3", 6),
            new Type("F6_E3M2", 6));
    private static final String[] NO_TYPES = {
        "f32", "F33", "F32 ", "", "Q4_0", "Q8_0", "F8", "F6", "E4M3", "I4", "null", "F\\u00332", "\\u0046\\u0033\\u0032"
    };
    private static final String[] NO_COUNTS = {
        "-1",
        "-0",
        "0.0",
        "1.0",
        "1e2",
        "1E+0",
        "01",
        "+1",
        "1.",
        ".5",
        "0x1",
        "1_0",
        "\"1\"",
        "null",
        "true",
        "[1]",
        "NaN",
        "Infinity",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "4294967296",
        "3037000500",
        "1e400",
        "99999999999999999999999999999999999999"
    };
    private static final String[] MORE_SHAPE = {
        "4294967296 4294967296", "0 9223372036854775807 2", "9223372036854775807 2 0", "2305843009213693952", "1 1 1"
    };
    private static final byte[][] NO_UTF8 = {
        {(byte) 0xff},
        {(byte) 0x80},
        {(byte) 0xc0, (byte) 0x80},
        {(byte) 0xc1, (byte) 0xbf},
        {(byte) 0xe0, (byte) 0x80, (byte) 0x80},
        {(byte) 0xed, (byte) 0xa0, (byte) 0x80},
        {(byte) 0xf4, (byte) 0x90, (byte) 0x80, (byte) 0x80},
        {(byte) 0xf0, (byte) 0x9f, (byte) 0x98},
        {(byte) 0xf5, (byte) 0x80, (byte) 0x80, (byte) 0x80}
    };

    private final Random random;

    private SafetensorsMutations(Random random) {
        this.random = random;
    }

    /** File number {@code i} of a seed. */
    static byte[] file(long seed, long i) {
        SafetensorsMutations m = new SafetensorsMutations(new Random(seed * 1_000_000_007L + i));
        return i % 2 == 0 ? m.hit() : m.built();
    }

    private boolean one(int in) {
        return random.nextInt(in) == 0;
    }

    private <T> T of(T[] all) {
        return all[random.nextInt(all.length)];
    }

    // ---- a sound file, hit ----

    private byte[] hit() {
        byte[] header = HEADER.getBytes(StandardCharsets.UTF_8);
        int edits = 1 + random.nextInt(3);
        for (int i = 0; i < edits; i++) {
            header = edit(header);
        }
        byte[] file = join(header.length, header, one(8) ? random.nextInt(60) : 41);
        return switch (random.nextInt(12)) {
            case 0 -> Arrays.copyOf(file, random.nextInt(file.length + 1));
            case 1 -> {
                file[random.nextInt(8)] ^= (byte) (1 << random.nextInt(8));
                yield file;
            }
            default -> file;
        };
    }

    private byte[] edit(byte[] bytes) {
        int at = random.nextInt(bytes.length);
        int end = Math.min(bytes.length, at + random.nextInt(4));
        byte[] piece = switch (random.nextInt(4)) {
            case 0 -> new byte[] {(byte) random.nextInt(256)};
            case 1 -> new byte[0];
            case 2 -> Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + random.nextInt(80)));
            default -> of(PIECES).getBytes(StandardCharsets.UTF_8);
        };
        return replace(bytes, at, end, piece);
    }

    private static byte[] replace(byte[] bytes, int at, int end, byte[] piece) {
        ByteBuffer out = ByteBuffer.allocate(at + piece.length + bytes.length - end);
        return out.put(bytes, 0, at)
                .put(piece)
                .put(bytes, end, bytes.length - end)
                .array();
    }

    private static byte[] join(long length, byte[] header, int data) {
        ByteBuffer out = ByteBuffer.allocate(8 + header.length + data).order(ByteOrder.LITTLE_ENDIAN);
        return out.putLong(length).put(header).array();
    }

    // ---- a header with values that are nearly right ----

    /** At which of the tensors a fault sits, and which; sound where none of them applies. */
    private byte[] built() {
        List<String> members = new ArrayList<>();
        int count = random.nextInt(6);
        int faulty = random.nextInt(count + 2); // may be nobody
        int at = 0;
        for (int i = 0; i < count; i++) {
            Type type = TYPES.get(random.nextInt(TYPES.size()));
            int[] shape = new int[random.nextInt(4)];
            long elements = 1;
            for (int k = 0; k < shape.length; k++) {
                shape[k] = random.nextInt(one(6) ? 2 : 5);
                elements *= shape[k];
            }
            int end = at + (int) (elements * type.bits / 8); // wrong where it ends within a byte
            members.add(tensor("t" + i, type.name, text(shape), at, end, i == faulty));
            at = end;
        }
        if (one(4)) {
            members.add("\"__metadata__\":" + metadata());
        }
        if (one(12) && !members.isEmpty()) {
            members.add(members.get(random.nextInt(members.size())));
        }
        Collections.shuffle(members, random);
        String header = "{" + String.join(one(6) ? " ,\n\t" : ",", members) + "}" + " ".repeat(random.nextInt(9));
        byte[] bytes = header.getBytes(StandardCharsets.UTF_8);
        if (one(10)) {
            int where = random.nextInt(bytes.length);
            bytes = replace(bytes, where, where, of(NO_UTF8));
        }
        return join(length(bytes.length), bytes, Math.max(0, one(10) ? at + random.nextInt(9) - 4 : at));
    }

    private long length(int length) {
        if (!one(12)) {
            return length;
        }
        return switch (random.nextInt(8)) {
            case 0 -> length + 1L;
            case 1 -> length - 1L;
            case 2 -> -1L;
            case 3 -> Long.MIN_VALUE;
            case 4 -> 100_000_001L;
            case 5 -> 100_000_000L;
            case 6 -> 1L << random.nextInt(63);
            default -> 0L;
        };
    }

    private static List<String> text(int[] shape) {
        return Arrays.stream(shape).mapToObj(String::valueOf).toList();
    }

    private String tensor(String name, String type, List<String> sound, int begin, int end, boolean faulty) {
        List<String> shape = new ArrayList<>(sound);
        List<String> offsets = new ArrayList<>(List.of(String.valueOf(begin), String.valueOf(end)));
        String dtype = '"' + type + '"';
        String more = "";
        switch (faulty ? random.nextInt(12) : -1) {
            case 0 -> shape.add(random.nextInt(shape.size() + 1), of(NO_COUNTS));
            case 1 -> offsets.set(random.nextInt(2), of(NO_COUNTS));
            case 2 -> offsets.set(random.nextInt(2), String.valueOf(begin + random.nextInt(40) - 20));
            case 3 -> dtype = '"' + of(NO_TYPES) + '"';
            case 4 -> shape.addAll(List.of(of(MORE_SHAPE).split(" ")));
            case 5 -> {
                for (int i = one(2) ? 996 : 1001; i > 0; i--) {
                    shape.add("1");
                }
            }
            case 6 -> more = ",\"more\":" + nested(one(2) ? 120 + random.nextInt(12) : random.nextInt(2000));
            case 7 ->
                offsets = one(2)
                        ? new ArrayList<>(List.of(offsets.get(1), offsets.get(0)))
                        : new ArrayList<>(List.of(offsets.get(0)));
            case 8 -> offsets.add("0");
            case 9 ->
                more = of(new String[] {
                    ",\"shape\":[]",
                    ",\"dtype\":\"U8\"",
                    ",\"d\\u0074ype\":\"U8\"",
                    ",\"data_offsets\":null",
                    ",\"x\":1e999,\"x\":-0"
                });
            case 10 ->
                name = of(new String[] {
                    "t0", "\\u0074\\u0030", "", "__metadata__", "\\ud83d\\ude00", "\\udc00", "a\\u0000b"
                });
            case 11 -> dtype = of(new String[] {"null", "{\"F32\":null}", "32", "[\"F32\"]"});
            default -> {}
        }
        List<String> fields = new ArrayList<>(List.of(
                "\"dtype\":" + dtype,
                "\"shape\":[" + String.join(",", shape) + "]",
                "\"data_offsets\":" + offsets + more));
        if (faulty && one(12)) {
            fields.remove(random.nextInt(3));
        }
        if (one(4)) {
            Collections.shuffle(fields, random);
        }
        return '"' + name + "\":{" + String.join(",", fields) + "}";
    }

    private String nested(int depth) {
        return one(2) ? "[".repeat(depth) + "]".repeat(depth) : "{\"a\":".repeat(depth) + "0" + "}".repeat(depth);
    }

    private String metadata() {
        return of(new String[] {
            "null",
            "{}",
            "{\"format\":\"pt\"}",
            "{\"a\":1}",
            "{\"a\":null}",
            "{\"a\":{\"b\":\"c\"}}",
            "[]",
            "\"a\"",
            "{\"a\":\"1\",\"a\":\"2\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\u2028\u0085\"}",
            "{\"\":\"\"}",
            "{\"a\":\"b\",}"
        });
    }

    /** So many files of a seed one after the other, each behind its length in 4 bytes: for the check by the Python library. */
    static byte[] packed(long seed, int files) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < files; i++) {
            byte[] file = file(seed, i);
            out.writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(file.length)
                    .array());
            out.writeBytes(file);
        }
        return out.toByteArray();
    }
}
