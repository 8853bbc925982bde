package dev.tiller.loader.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.DType;
import dev.tiller.loader.TillerException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TorchFileTest {
    @TempDir
    Path folder;

    private static Path resource(String name) throws URISyntaxException {
        return Path.of(TorchFileTest.class.getResource("/torch/" + name).toURI());
    }

    /** What make.py calls a ramp: i / 8 - 1. */
    private static float[] ramp(int n) {
        float[] out = new float[n];
        for (int i = 0; i < n; i++) {
            out[i] = i / 8f - 1;
        }
        return out;
    }

    @Test
    void everyTypeThatTorchWrote() throws Exception {
        try (TorchFile file = TorchFile.open(resource("mixed.pt"))) {
            Map<String, TorchTensor> t = file.tensors();
            assertArrayEquals(ramp(24), t.get("f32").toFloats());
            for (String type : List.of("bf16", "f16", "f64")) {
                assertArrayEquals(ramp(5), t.get(type).toFloats(), type);
                assertTrue(t.get(type).isExact());
            }
            assertArrayEquals(new long[] {-(1L << 40), 3}, t.get("i64").toLongs());
            assertArrayEquals(new long[] {1, -2}, t.get("i32").toLongs());
            assertArrayEquals(new long[] {1, 2}, t.get("i32").shape());
            assertArrayEquals(new long[] {0, 255}, t.get("u8").toLongs());
            assertArrayEquals(new long[] {-1, 127}, t.get("i8").toLongs());
            assertArrayEquals(new long[] {-300}, t.get("i16").toLongs());
            assertArrayEquals(new long[] {1, 0}, t.get("bool").toLongs());
            float[] wide = ramp(24);
            assertArrayEquals(
                    new float[] {wide[1], wide[7], wide[13], wide[19]},
                    t.get("column").toFloats());
            assertArrayEquals(
                    new float[] {wide[8], wide[9], wide[10], wide[14], wide[15], wide[16]},
                    t.get("window").toFloats());
            assertArrayEquals(new float[] {0.5f}, t.get("scalar").toFloats());
            assertArrayEquals(Arrays.copyOf(wide, 6), t.get("7.nested.deep").toFloats());
            assertThrows(TillerException.class, () -> t.get("i64").toFloats());
            assertThrows(TillerException.class, () -> t.get("f32").toLongs());
            Map<?, ?> root = (Map<?, ?>) file.root();
            assertEquals(Arrays.asList(1L, 2.5, "text \u00e9", null, true, List.of(3L, List.of(4L))), root.get("list"));
            assertEquals(1L << 40, root.get(-1L));
            assertEquals("torch.bfloat16", root.get("dtype"));
            assertEquals(Map.of("a", 1L, "b", 2L), root.get("ordered"));
        }
    }

    @Test
    void stateDictsAndNewPickles() throws Exception {
        try (TorchFile file = TorchFile.open(resource("state_dict.pt"))) {
            assertEquals(List.of("weight", "bias"), List.copyOf(file.tensors().keySet()));
            assertArrayEquals(ramp(6), file.tensors().get("weight").toFloats());
        }
        try (TorchFile file = TorchFile.open(resource("protocol4.pt"))) {
            assertArrayEquals(ramp(3), file.tensors().get("0").toFloats());
        }
        refused(resource("module.pt"), "torch.nn.modules.linear.Linear");
    }

    @Test
    void whatIsWrittenIsReadBack() {
        Random random = new Random(5);
        float[] values = new float[3 * 7];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(random.nextInt());
        }
        Map<Object, Object> root = new LinkedHashMap<>();
        root.put("matrix", new TorchWriter.Tensor(new long[] {3, 7}, values));
        root.put("empty", new TorchWriter.Tensor(new long[] {0, 4}, new float[0]));
        root.put("scalar", new TorchWriter.Tensor(new long[0], new float[] {-0f}));
        root.put("numbers", Arrays.asList(0, 255, 256, -1, 1L << 40, 0.1, 2f, null, true, false));
        root.put(3, "caf\u00e9 \ud83d\ude00");
        Path file = folder.resolve("a.b.pt");
        TorchWriter.write(file, root);
        try (TorchFile read = TorchFile.open(file)) {
            assertBits(values, read.tensors().get("matrix").toFloats());
            assertArrayEquals(new long[] {0, 4}, read.tensors().get("empty").shape());
            assertBits(new float[] {-0f}, read.tensors().get("scalar").toFloats());
            Map<?, ?> map = (Map<?, ?>) read.root();
            assertEquals(Arrays.asList(0L, 255L, 256L, -1L, 1L << 40, 0.1, 2.0, null, true, false), map.get("numbers"));
            assertEquals("caf\u00e9 \ud83d\ude00", map.get(3L));
        }
    }

    private static void assertBits(float[] expected, float[] found) {
        assertEquals(expected.length, found.length);
        for (int i = 0; i < found.length; i++) {
            assertEquals(Float.floatToRawIntBits(expected[i]), Float.floatToRawIntBits(found[i]), "at " + i);
        }
    }

    @Test
    void numbersThatNoFloatEquals() {
        byte[] data = new byte[16];
        java.nio.ByteBuffer.wrap(data)
                .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                .putDouble(0.1)
                .putDouble(0.5);
        byte[] pickle = TorchBytes.pickle()
                .global("torch._utils", "_rebuild_tensor_v2")
                .op('(')
                .storage("DoubleStorage", 2)
                .op('K', 0, 'K', 2, 0x85, 'K', 1, 0x85, 0x89, '}', 't', 'R', '.')
                .bytes();
        try (TorchFile file = TorchFile.open(TorchBytes.write(folder, pickle, data))) {
            TorchTensor tensor = file.tensors().get("");
            assertEquals(DType.F64, tensor.dtype());
            assertFalse(tensor.isExact());
            assertArrayEquals(new float[] {0.1f, 0.5f}, tensor.toFloats());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "os system",
                "posix system",
                "builtins eval",
                "builtins getattr",
                "__builtin__ exec",
                "torch load",
                "torch._utils _rebuild_tensor_v2.__globals__",
                "torch.storage _load_from_bytes",
                "numpy.core.multiarray _reconstruct",
                "collections OrderedDict.fromkeys",
                "codecs encode"
            })
    void namesOutsideOfTheListAreRefused(String name) {
        String[] parts = name.split(" ");
        Path global = TorchBytes.pickle()
                .global(parts[0], parts[1])
                .text("x")
                .op(0x85, 'R')
                .write(folder);
        refused(global, parts[0] + "." + parts[1]);
        Path stack = TorchBytes.pickle()
                .op('}')
                .text("a")
                .text(parts[0])
                .text(parts[1])
                .op(0x93, ')', 'R', 's')
                .write(folder);
        refused(stack, parts[0] + "." + parts[1]);
    }

    @Test
    void opcodesOutsideOfTheListAreRefusedByName() {
        refused(TorchBytes.pickle().op('(').raw("ios\nsystem\n").write(folder), "INST");
        refused(TorchBytes.pickle().op('(').text("x").op('o').write(folder), "OBJ");
        refused(
                TorchBytes.pickle()
                        .global("collections", "OrderedDict")
                        .op(')', 0x81)
                        .write(folder),
                "NEWOBJ");
        refused(TorchBytes.pickle().op(0x82, 1).write(folder), "EXT1");
        refused(TorchBytes.pickle().raw("Pid\n").write(folder), "PERSID");
        refused(TorchBytes.pickle().op('C', 1, 7).write(folder), "SHORT_BINBYTES");
        refused(TorchBytes.pickle().op(0xFE).write(folder), "0xfe");
    }

    @Test
    void callsOfAnythingElseAreRefused() {
        refused(TorchBytes.pickle().text("eval").text("x").op(0x85, 'R').write(folder), "a function");
        refused(TorchBytes.pickle().global("torch", "FloatStorage").op(')', 'R').write(folder), "torch.FloatStorage");
        refused(
                TorchBytes.pickle()
                        .global("collections", "OrderedDict")
                        .text("x")
                        .op(0x85, 'R')
                        .write(folder),
                "no argument");
        refused(
                TorchBytes.pickle()
                        .global("torch._utils", "_rebuild_tensor_v2")
                        .op(')', 'R')
                        .write(folder),
                "_rebuild_tensor_v2");
        refused(TorchBytes.pickle().global("torch._utils", "_rebuild_tensor_v2").write(folder), "plain values");
        refused(
                TorchBytes.pickle()
                        .global("collections", "OrderedDict")
                        .op('}', 'b')
                        .write(folder),
                "BUILD");
        refused(TorchBytes.pickle().storage("FloatStorage", 4).write(folder), "a storage");
    }

    @Test
    void hooksOfTensorsAreRefused() {
        Path file = TorchBytes.pickle()
                .global("torch._utils", "_rebuild_tensor_v2")
                .op('(')
                .storage("FloatStorage", 4)
                .op('K', 0, 'K', 4, 0x85, 'K', 1, 0x85, 0x89, '}')
                .text("h")
                .op('K', 1, 's', 't', 'R')
                .write(folder);
        refused(file, "hooks");
    }

    @Test
    void wrongStoragesAreRefused() {
        refused(TorchBytes.pickle().storage("FloatStorage", 5).write(folder), "storage 0", "5 elements");
        refused(TorchBytes.pickle().storage("DoubleStorage", 4).write(folder), "storage 0");
        refused(TorchBytes.pickle().storage("QInt8Storage", 4).write(folder), "torch.QInt8Storage");
    }

    /** Ten tuples, each holding the one before ten times: 300 bytes that stand for 10^10 values. */
    @Test
    void aSmallPickleOfAHugeTreeIsRefused() {
        TorchBytes bomb = TorchBytes.pickle().op('(', ']', 'q', 0);
        for (int level = 1; level <= 10; level++) {
            bomb.op('(');
            for (int i = 0; i < 10; i++) {
                bomb.op('h', level - 1);
            }
            bomb.op('t', 'q', level);
        }
        refused(bomb.op('t').write(folder), "values");
    }

    @Test
    void aListWithinItselfIsRefused() {
        refused(TorchBytes.pickle().op(']', 'q', 0, 'h', 0, 'a').write(folder), "nested");
        refused(TorchBytes.pickle().op('}', 'q', 0).text("x").op('h', 0, 's').write(folder), "nested");
    }

    @Test
    void endlessProgramsAreRefused() {
        TorchBytes many = TorchBytes.pickle();
        for (int i = 0; i < 1 << 20; i++) {
            many.op('}');
        }
        refused(many.write(folder), "opcodes");
        refused(TorchBytes.pickle().write(folder), "a value on the stack");
        refused(TorchBytes.pickle().op('N', 'N').write(folder), "one value");
        refused(TorchBytes.pickle()
                .op('(', 'N', 'r', 255, 255, 255, 255, 'j', 255, 255, 255, 254)
                .write(folder));
        refused(
                TorchBytes.pickle()
                        .op(0x8d, 255, 255, 255, 255, 255, 255, 255, 255)
                        .write(folder),
                "truncated");
        refused(TorchBytes.pickle().op('X', 255, 255, 255, 255).write(folder), "truncated");
        refused(TorchBytes.pickle().op(0x95, 0, 0, 0, 0, 1, 0, 0, 0, 'N').write(folder), "truncated");
        refused(TorchBytes.pickle().op('}', 'q', 0, 'h', 0, 'N', 's').write(folder), "key of a dict");
    }

    @Test
    void damagedDataIsRefused() throws Exception {
        byte[] bytes = Files.readAllBytes(resource("mixed.pt"));
        Path file = folder.resolve("damaged.pt");
        int data = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf("data/0") + 128;
        bytes[data] ^= 1;
        Files.write(file, bytes);
        refused(file, "check sum");
    }

    private static void refused(Path file, String... words) {
        TillerException e = assertThrows(TillerException.class, () -> {
            try (TorchFile read = TorchFile.open(file)) {
                assertTrue(new ArrayList<>(read.tensors().values()).isEmpty(), "was read");
            }
        });
        assertTrue(e.getMessage().startsWith(file + ": "), e.getMessage());
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage());
        }
    }
}
