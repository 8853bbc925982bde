package dev.tiller.kernels.lab;

/**
 * What a device reaches at most, measured in the same run as what is held against it.
 *
 * @param bytesPerSecond memory traffic
 * @param flopsPerSecond arithmetic
 * @param how what was measured
 */
public record Ceiling(double bytesPerSecond, double flopsPerSecond, String how) {
    /** The shortest time in which a case can run: its bytes or its operations, whichever takes longer. */
    public double seconds(LabCase c) {
        return Math.max(c.bytes() / bytesPerSecond, c.flops() / flopsPerSecond);
    }
}
