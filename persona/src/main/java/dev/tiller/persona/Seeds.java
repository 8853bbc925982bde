package dev.tiller.persona;

/** Seeds for single answers, derived from the seed of a job and the place of the answer in it. */
final class Seeds {
    private Seeds() {}

    /** Mixes the parts into the seed one after the other (the finaliser of SplitMix64), so that order counts. */
    static long of(long seed, long... parts) {
        long x = mix(seed);
        for (long p : parts) {
            x = mix(x ^ mix(p));
        }
        return x;
    }

    private static long mix(long x) {
        long z = x + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
