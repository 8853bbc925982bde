package dev.tiller.kernels;

/**
 * Rotary position angles. Rotate-half convention: element i of a head is paired with element i + half.
 *
 * @param half number of rotated pairs; the first 2*half elements of a head are rotated, the rest passes through
 * @param cos [positions, half], row-major
 * @param sin [positions, half], row-major
 */
public record RopeTable(int half, float[] cos, float[] sin) {
    public int positions() {
        return cos.length / half;
    }
}
