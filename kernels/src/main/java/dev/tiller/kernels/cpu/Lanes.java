package dev.tiller.kernels.cpu;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width of this JVM, a constant that the compiler can rely on: the widest the processor prefers (at most 512
 * bits), or what the system property {@value #PROPERTY} says (128, 256 or 512).
 */
final class Lanes {
    static final String PROPERTY = "tiller.vector.bits";

    static final int PREFERRED_BITS = Math.min(512, VectorShape.preferredShape().vectorBitSize());
    static final int BITS = Integer.getInteger(PROPERTY, PREFERRED_BITS);
    static final VectorSpecies<Float> F = VectorSpecies.of(float.class, VectorShape.forBitSize(BITS));
    static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, VectorShape.forBitSize(BITS));

    /** Floats in a vector. */
    static final int L = F.length();

    static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

    private Lanes() {}

    private static final VectorShuffle<Float> BY_8 = rotate(8);
    private static final VectorShuffle<Float> BY_4 = rotate(4);
    private static final VectorShuffle<Float> BY_2 = rotate(2);
    private static final VectorShuffle<Float> BY_1 = rotate(1);

    private static VectorShuffle<Float> rotate(int n) {
        return VectorShuffle.iota(F, n, 1, true);
    }

    /**
     * Sum of the lanes in a fixed order, by halves; {@code reduceLanes} leaves the order open, and a result must not
     * depend on whether a method has been compiled yet.
     */
    static float sum(FloatVector v) {
        FloatVector s = v;
        if (L >= 16) {
            s = s.add(s.rearrange(BY_8));
        }
        if (L >= 8) {
            s = s.add(s.rearrange(BY_4));
        }
        s = s.add(s.rearrange(BY_2));
        return s.add(s.rearrange(BY_1)).lane(0);
    }
}
