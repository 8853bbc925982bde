package dev.tiller.bench.kernel;

/**
 * What one call of an operation must do at least.
 *
 * @param bytes read and written, each once
 * @param flops floating-point operations, two for a multiply-add
 * @param cached true if everything it touches stays in the caches from call to call, so that memory does not bind it
 */
record Work(double bytes, double flops, boolean cached) {
    /** Memory that the second-level caches surely hold. */
    private static final double CACHE = 512 << 10;

    /** Work on the same buffers in every call. */
    static Work onSameBuffers(double bytes, double flops) {
        return new Work(bytes, flops, bytes < CACHE);
    }

    /** The shortest time that the ceilings allow, in seconds. */
    double seconds(double bytesPerSecond, double flopsPerSecond) {
        return Math.max(bytes / bytesPerSecond, flops / flopsPerSecond);
    }

    /** The ceiling that is reached first. */
    String binding(double bytesPerSecond, double flopsPerSecond) {
        if (bytes / bytesPerSecond < flops / flopsPerSecond) {
            return "multiply-add";
        }
        return cached ? "memory (in cache)" : "memory";
    }
}
