package dev.tiller.kernels.cpu;

import static dev.tiller.kernels.cpu.Lanes.F;
import static dev.tiller.kernels.cpu.Lanes.L;

import dev.tiller.kernels.WeightFormat;
import jdk.incubator.vector.FloatVector;

/**
 * What queries have got from parts of their positions: the sum of values under the weights e^(y - max), the largest score
 * max and the total of the weights. A total of 0 says that the query sees nothing of the part.
 */
final class PartSums {
    float[] sums = new float[0];
    float[] max = new float[0];
    float[] total = new float[0];
    private int width;

    /** Makes room for n entries of so many columns, a multiple of L. */
    void grow(int n, int columns) {
        width = columns;
        if (total.length < n) {
            max = new float[n * 5 / 4];
            total = new float[n * 5 / 4];
        }
        if (sums.length < (long) n * columns) {
            sums = new float[Math.toIntExact((long) n * columns * 5 / 4)];
        }
    }

    int width() {
        return width;
    }

    /** Entry i takes in entry {@code j} of {@code next}, the part that follows. */
    void add(int i, PartSums next, int j) {
        if (next.total[j] == 0) {
            return;
        }
        if (total[i] == 0) {
            System.arraycopy(next.sums, j * width, sums, i * width, width);
            max[i] = next.max[j];
            total[i] = next.total[j];
            return;
        }
        FloatVector f = factor(-Math.abs(max[i] - next.max[j]));
        if (next.max[j] > max[i]) {
            for (int c = 0; c < width; c += L) {
                FloatVector sum = FloatVector.fromArray(F, sums, i * width + c);
                sum.fma(f, FloatVector.fromArray(F, next.sums, j * width + c)).intoArray(sums, i * width + c);
            }
            total[i] = Math.fma(total[i], f.lane(0), next.total[j]);
            max[i] = next.max[j];
        } else {
            for (int c = 0; c < width; c += L) {
                FloatVector sum = FloatVector.fromArray(F, next.sums, j * width + c);
                sum.fma(f, FloatVector.fromArray(F, sums, i * width + c)).intoArray(sums, i * width + c);
            }
            total[i] = Math.fma(next.total[j], f.lane(0), total[i]);
        }
    }

    private static FloatVector factor(float difference) {
        return VectorMath.exp(FloatVector.broadcast(F, difference));
    }

    /** Entry i as the result of attention: out[to ..] = sums / total. */
    void finish(int i, WeightFormat format, int k, float[] out, int to) {
        KvPanels.finish(sums, i * width, 1 / total[i], format, k, out, to);
    }
}
