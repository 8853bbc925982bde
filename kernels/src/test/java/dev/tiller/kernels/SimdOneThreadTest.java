package dev.tiller.kernels;

/** At the width of this JVM; the build starts one JVM for each width. */
class SimdOneThreadTest extends BackendContract {
    @Override
    public Backend open() {
        return Backends.open("simd", 1);
    }
}
