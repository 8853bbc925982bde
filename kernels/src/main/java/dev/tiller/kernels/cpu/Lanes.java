package dev.tiller.kernels.cpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
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

    /** Why vectors have this width, in a few words. */
    static String reason() {
        return reason(BITS, PREFERRED_BITS, PREFERRED_BITS == 256 ? Path.of("/proc/cpuinfo") : null);
    }

    /** @param cpuinfo tells whether the processor has wider ones; null if that does not matter */
    static String reason(int bits, int preferred, Path cpuinfo) {
        if (bits > preferred) {
            return "SLOW: set by -D" + PROPERTY + ", this processor has " + preferred;
        }
        if (bits < preferred) {
            return "set by -D" + PROPERTY + ", this processor prefers " + preferred;
        }
        return cpuinfo != null && has512(cpuinfo)
                ? "what Java prefers on this processor, although it has 512"
                : "the widest this processor prefers";
    }

    private static boolean has512(Path cpuinfo) {
        try (Stream<String> lines = Files.lines(cpuinfo)) {
            return lines.anyMatch(line -> line.startsWith("flags") && line.contains(" avx512f"));
        } catch (IOException | UncheckedIOException e) {
            return false; // not Linux
        }
    }

    private static final VectorShuffle<Float> BY_8 = rotate(8);
    private static final VectorShuffle<Float> BY_4 = rotate(4);
    private static final VectorShuffle<Float> BY_2 = rotate(2);
    private static final VectorShuffle<Float> BY_1 = rotate(1);

    private static VectorShuffle<Float> rotate(int n) {
        return VectorShuffle.iota(F, n, 1, true);
    }

    /**
     * Sum of the lanes in a fixed order, by halves; {@code reduceLanes} leaves the order open, and a result must not
     * depend on whether a method has been compiled yet. In small methods, which the compiler inlines wherever they are
     * called: where it does not, it puts every vector of the caller's loop on the heap.
     */
    static float sum(FloatVector v) {
        return addNext(addSecond(addFourth(addEighth(v)))).lane(0);
    }

    private static FloatVector addEighth(FloatVector v) {
        return L >= 16 ? v.add(v.rearrange(BY_8)) : v;
    }

    private static FloatVector addFourth(FloatVector v) {
        return L >= 8 ? v.add(v.rearrange(BY_4)) : v;
    }

    private static FloatVector addSecond(FloatVector v) {
        return v.add(v.rearrange(BY_2));
    }

    private static FloatVector addNext(FloatVector v) {
        return v.add(v.rearrange(BY_1));
    }
}
