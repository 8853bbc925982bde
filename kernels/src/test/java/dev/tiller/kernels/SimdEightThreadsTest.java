package dev.tiller.kernels;

/** More threads than this or most build machines have cores. */
class SimdEightThreadsTest extends BackendContract {
    @Override
    public Backend open() {
        return Backends.open("simd", 8);
    }
}
