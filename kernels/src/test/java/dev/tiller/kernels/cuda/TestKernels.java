package dev.tiller.kernels.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;

/** Small helpers of the tests that run kernels. */
final class TestKernels {
    private TestKernels() {}

    private static final Map<String, KernelImage> COMPILED = new ConcurrentHashMap<>();

    /** Compiles a source once for all tests of this JVM. */
    static KernelImage compile(CudaDevice gpu, String source) {
        return COMPILED.computeIfAbsent(source, s -> {
            try {
                Path file = Files.createTempFile("tiller-test-", ".cu");
                file.toFile().deleteOnExit();
                return new KernelCompiler(gpu).compile(Files.writeString(file, s));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    static Path write(Path file, String text) {
        try {
            return Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Random numbers that the type holds exactly. */
    static float[] rounded(Random random, int n, Operand type) {
        float[] out = new float[n];
        for (int i = 0; i < n; i++) {
            float v = (float) random.nextGaussian();
            out[i] = switch (type) {
                case F32 -> v;
                case F16 -> Float.float16ToFloat(Float.floatToFloat16(v));
                case BF16 -> Float.intBitsToFloat(Float.floatToRawIntBits(v) & 0xffff0000);
            };
        }
        return out;
    }

    static short[] bits(float[] values, Operand type) {
        short[] out = new short[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = type == Operand.F16
                    ? Float.floatToFloat16(values[i])
                    : (short) (Float.floatToRawIntBits(values[i]) >>> 16);
        }
        return out;
    }
}
