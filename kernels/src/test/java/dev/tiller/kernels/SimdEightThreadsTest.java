package dev.tiller.kernels;

import dev.tiller.kernels.cpu.Crowd;

/** More threads than most build machines have cores, all at work. */
class SimdEightThreadsTest extends BackendContract {
    @Override
    public Backend open() {
        return Crowd.backend(8);
    }
}
