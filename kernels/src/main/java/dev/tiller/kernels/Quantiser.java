package dev.tiller.kernels;

/**
 * Makes the blocks of {@link WeightFormat#Q8} and {@link WeightFormat#Q4} from numbers. Scales and minima are rounded to
 * 16-bit floats; one that is not finite after that comes from numbers that do not fit, which is for the caller to refuse.
 */
final class Quantiser {
    private static final float SMALLEST_NORMAL_F16 = 0x1p-14f;

    /** Steps towards the least error of a block of 4 bits, at most. */
    private static final int ROUNDS = 3;

    private Quantiser() {}

    /** One row of numbers as blocks; parameters as in {@link WeightRows#blocks}. */
    static void quantise(
            WeightFormat format, float[] row, byte[] codes, int at, float[] scales, float[] minima, int blockAt) {
        for (int from = 0; from < row.length; from += WeightFormat.BLOCK) {
            int to = Math.min(row.length, from + WeightFormat.BLOCK);
            int block = blockAt + from / WeightFormat.BLOCK;
            if (format == WeightFormat.Q8) {
                scales[block] = eightBits(row, from, to, codes, at);
            } else {
                fourBits(row, from, to, codes, at, scales, minima, block);
            }
        }
    }

    /** Returns the scale. */
    private static float eightBits(float[] row, int from, int to, byte[] codes, int at) {
        float largest = 0;
        for (int i = from; i < to; i++) {
            largest = Math.max(largest, Math.abs(row[i])); // not-a-number stays
        }
        float exact = largest / 127;
        float scale = toF16(exact);
        // As in ggml codes are those of the scale before its rounding. That is next to nothing as long as the rounded
        // one has its 11 bits; smaller ones have fewer.
        float per = scale == 0 ? 0 : 1 / (scale < SMALLEST_NORMAL_F16 ? scale : exact);
        for (int i = from; i < to; i++) {
            float code = row[i] * per;
            int magnitude = Math.min(127, nearest(Math.abs(code)));
            codes[at + i] = (byte) (code < 0 ? -magnitude : magnitude);
        }
        return scale;
    }

    /**
     * Begins with the range of the numbers and moves scale and minimum to where they are nearest to the numbers (least
     * squares for the codes found so far), as long as that brings something.
     */
    private static void fourBits(
            float[] row, int from, int to, byte[] codes, int at, float[] scales, float[] minima, int block) {
        float least = row[from];
        float largest = row[from];
        for (int i = from; i < to; i++) {
            least = Math.min(least, row[i]);
            largest = Math.max(largest, row[i]);
        }
        scales[block] = toF16((largest - least) / 15);
        minima[block] = toF16(least);
        double error = encode(row, from, to, scales[block], minima[block], codes, at);
        byte[] tried = new byte[WeightFormat.BLOCK];
        for (int round = 0; round < ROUNDS && error > 0 && Double.isFinite(error); round++) {
            double n = to - from;
            double sumCode = 0;
            double sumSquare = 0;
            double sumNumber = 0;
            double sumProduct = 0;
            for (int i = from; i < to; i++) {
                int code = codes[at + i];
                sumCode += code;
                sumSquare += code * code;
                sumNumber += row[i];
                sumProduct += (double) code * row[i];
            }
            double spread = n * sumSquare - sumCode * sumCode;
            if (!(spread > 0)) {
                return;
            }
            double slope = (n * sumProduct - sumCode * sumNumber) / spread;
            float scale = toF16((float) slope);
            float minimum = toF16((float) ((sumNumber - slope * sumCode) / n));
            double found = encode(row, from, to, scale, minimum, tried, -from);
            if (!(found < error)) {
                return;
            }
            error = found;
            scales[block] = scale;
            minima[block] = minimum;
            System.arraycopy(tried, 0, codes, at + from, to - from);
        }
    }

    /** Codes nearest to the numbers for that scale and minimum; returns the sum of the squared differences. */
    private static double encode(float[] row, int from, int to, float scale, float minimum, byte[] codes, int at) {
        float per = scale == 0 ? 0 : 1 / scale;
        double error = 0;
        for (int i = from; i < to; i++) {
            int code = Math.min(15, nearest(Math.max(0, (row[i] - minimum) * per)));
            codes[at + i] = (byte) code;
            double off = (double) scale * code + minimum - row[i];
            error += off * off;
        }
        return error;
    }

    /** The whole number nearest to one that is not negative, the larger of two. */
    private static int nearest(float value) {
        int below = (int) value;
        return value - below >= 0.5f ? below + 1 : below;
    }

    /** Rounds to the nearest 16-bit float. */
    static float toF16(float value) {
        return Float.float16ToFloat(Float.floatToFloat16(value));
    }
}
