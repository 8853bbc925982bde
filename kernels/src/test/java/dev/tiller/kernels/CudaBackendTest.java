package dev.tiller.kernels;

import dev.tiller.kernels.cuda.CudaForTests;
import java.util.List;

class CudaBackendTest extends BackendContract {
    @Override
    public Backend open() {
        return CudaForTests.open();
    }

    @Override
    public boolean emulated() {
        return true;
    }

    /** Shorter keys and values go with shorter operands; their own tests are CudaFormatsTest. */
    @Override
    public List<WeightFormat> kvFormats() {
        return List.of(WeightFormat.F32);
    }

    @Override
    public boolean takesBlocks() {
        return false;
    }

    /** Inputs get the type of the weights. */
    @Override
    public float asOperand(float input, WeightFormat weights) {
        return switch (weights) {
            case F32 -> input;
            case BF16 -> Float.intBitsToFloat(WeightRows.toBf16(input) << 16);
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(input));
            case Q8, Q4 -> throw new AssertionError("this backend has no " + weights);
        };
    }

    /** Sums of 16-bit inputs pass through units that do not promise more than float32 for their intermediate results. */
    @Override
    public double leastMagnitude(int k, WeightFormat weights) {
        return weights == WeightFormat.F32 ? 0 : Math.sqrt(k);
    }

    @Override
    public String whyRowsOfMatmulDepend() {
        return "few rows go to kernels of our own, more of them to cuBLAS, which sums in an order of its own";
    }

    /** Sums are exact in steps of 2^-24, in whatever order the rows come, and rounded once. */
    @Override
    public float sum(float[] numbers) {
        long sum = 0;
        for (float n : numbers) {
            sum += (long) Math.rint(n * 0x1p24);
        }
        return (float) (sum * 0x1p-24);
    }
}
