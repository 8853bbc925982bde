package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What pages and appendKv owe. */
interface KvPagesContract {
    Backend open();

    /** Formats of keys and values that the backend keeps whatever the weights are. */
    default List<WeightFormat> kvFormats() {
        return List.of(WeightFormat.F32, WeightFormat.BF16, WeightFormat.F16);
    }

    /** Keys and values as stored: nearest numbers of the format, on ties the even ones. */
    @Test
    default void keysAndValuesAreRoundedToTheNearest() {
        float[] numbers = {
            1,
            1 + 0x1p-8f,
            1 + 3 * 0x1p-8f,
            1 + 0x1p-11f,
            1 + 3 * 0x1p-11f,
            0x1p-24f,
            0x1p-26f,
            3e-5f,
            -0f,
            65504,
            -65519,
            0.1f
        };
        int k = numbers.length - 1; // odd: the last half of a word is empty
        for (WeightFormat format : kvFormats()) {
            try (Backend b = open()) {
                KvPages kv = b.kvPages(1, 1, k, format);
                assertEquals(format, kv.format());
                int[][] pages = {{kv.allocate(), kv.allocate()}};
                for (int p = 0; p < 2 * KvPages.PAGE; p++) {
                    float[] x = new float[3 * k];
                    for (int i = 0; i < k; i++) {
                        x[2 * k + i] = numbers[(i + p) % numbers.length];
                    }
                    Rows rows = new Rows(1, new int[] {p}, new int[1], pages);
                    Buffer in = b.buffer(1, 3 * k, x);
                    Buffer out = b.buffer(1, k);
                    b.appendKv(in, rows, k, 2 * k, kv, 0);
                    b.attend(in, rows, 0, kv, 0, new AttentionSpec(1, 1, k, 1, 0, 1), out); // sees itself alone
                    float[] found = Duo.read(b, out);
                    for (int i = 0; i < k; i++) {
                        float stored = rounded(x[2 * k + i], format);
                        assertEquals(stored, found[i], format + ", position " + p + ", " + b.description());
                    }
                }
            }
        }
    }

    private static float rounded(float x, WeightFormat format) {
        return switch (format) {
            case BF16 -> {
                int bits = Float.floatToRawIntBits(x);
                int low = bits & 0xffff;
                int high = bits >>> 16;
                boolean up = low > 0x8000 || low == 0x8000 && (high & 1) == 1;
                yield Float.intBitsToFloat(high + (up ? 1 : 0) << 16) + 0f;
            }
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(x)) + 0f;
            default -> x + 0f;
        };
    }

    /** What 16-bit floats cannot hold is refused with its place. */
    @Test
    default void numbersBeyondTheRangeOfF16AreRefused() {
        if (!kvFormats().contains(WeightFormat.F16)) {
            return;
        }
        for (float bad : new float[] {65520, -70000, Float.POSITIVE_INFINITY, Float.NaN}) {
            for (int column = 4; column < 12; column++) {
                try (Backend b = open()) {
                    KvPages kv = b.kvPages(3, 2, 2, WeightFormat.F16);
                    int[][] pages = {{kv.allocate(), kv.allocate()}};
                    Rows rows = new Rows(1, new int[] {17}, new int[1], pages);
                    float[] x = new float[12];
                    x[column] = bad;
                    Buffer in = b.buffer(1, 12, x);
                    String message = assertThrows(TillerException.class, () -> b.appendKv(in, rows, 4, 8, kv, 2))
                            .getMessage();
                    String what = column < 8 ? "keys" : "values";
                    for (String part : List.of("block 2", "position 17", what, "bf16", "f32")) {
                        assertTrue(message.contains(part), message);
                    }
                    x[column] = 65519; // still rounds to 65504
                    b.appendKv(b.buffer(1, 12, x), rows, 4, 8, kv, 2);
                }
            }
        }
    }

    @Test
    default void pagesAreGivenOutOnceAndTakenBack() {
        try (Backend b = open()) {
            KvPages kv = b.kvPages(2, 3, 8, WeightFormat.F32);
            List<Integer> all = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                int page = kv.allocate();
                assertEquals(false, all.contains(page));
                all.add(page);
            }
            assertEquals(40, kv.inUse());
            assertEquals(2 * 3 * 8 * KvPages.PAGE * 2 * 4, kv.pageBytes());
            for (WeightFormat format : kvFormats()) {
                long expected = 2L * 3 * 8 * KvPages.PAGE * 2 * (format == WeightFormat.F32 ? 4 : 2);
                assertEquals(expected, b.kvPages(2, 3, 8, format).pageBytes());
            }
            kv.release(all.get(7));
            assertEquals(39, kv.inUse());
            assertThrows(IllegalArgumentException.class, () -> kv.release(all.get(7)));
            assertThrows(IllegalArgumentException.class, () -> kv.release(-1));
            assertEquals(all.get(7), kv.allocate());
        }
    }
}
