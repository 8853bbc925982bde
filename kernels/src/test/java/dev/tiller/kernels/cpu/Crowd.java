package dev.tiller.kernels.cpu;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Threads;

/** Pools and backends whose threads all take part in every task, however few processors there are. */
public final class Crowd {
    private Crowd() {}

    static WorkerPool pool(int threads) {
        return new WorkerPool(threads, new Parties(threads, () -> threads, 0) {
            @Override
            void waited(long waited, long worked, long now) {}
        });
    }

    public static Backend backend(int threads) {
        return new SimdBackend(new Threads(threads, "asked for"), "", pool(threads));
    }
}
