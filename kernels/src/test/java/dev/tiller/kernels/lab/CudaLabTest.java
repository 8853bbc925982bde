package dev.tiller.kernels.lab;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cuda.CudaForTests;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every built-in CUDA kernel that a backend calls, tuned and in its simplest form, on all cases and operand types. */
class CudaLabTest {
    static List<String> names() {
        return Operations.all().stream().map(Operation::name).toList();
    }

    @ParameterizedTest
    @MethodSource("names")
    void tunedKernelsAgree(String name) {
        agrees(Operations.of(name), "tuned");
    }

    @ParameterizedTest
    @MethodSource("names")
    void naiveKernelsAgree(String name) {
        agrees(Operations.of(name), "naive");
    }

    private static void agrees(Operation operation, String form) {
        try (Backend cuda = CudaForTests.open("tiller.cuda.kernel." + operation.source(), form)) {
            Assumptions.assumeTrue(operation.offeredBy(cuda), "not offered by this backend");
            List<Check.Fault> faults = new ArrayList<>();
            Check.run(operation, cuda, EnumSet.copyOf(WeightFormat.PLAIN), r -> {
                if (r.fault() != null) {
                    faults.add(r.fault());
                }
            });
            assertEquals(List.of(), faults);
        }
    }
}
