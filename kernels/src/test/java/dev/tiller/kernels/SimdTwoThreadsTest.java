package dev.tiller.kernels;

class SimdTwoThreadsTest extends BackendContract {
    @Override
    public Backend open() {
        return Backends.open("simd", 2);
    }
}
