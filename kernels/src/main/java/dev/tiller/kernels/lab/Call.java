package dev.tiller.kernels.lab;

import java.util.List;
import java.util.function.Supplier;

/** A call and its outputs, from two functions. */
record Call(Runnable work, Supplier<List<LabCase.Output>> results) implements LabCase.Prepared {
    @Override
    public void call() {
        work.run();
    }

    @Override
    public List<LabCase.Output> outputs() {
        return results.get();
    }
}
