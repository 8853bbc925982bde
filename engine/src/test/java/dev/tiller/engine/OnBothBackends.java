package dev.tiller.engine;

import dev.tiller.loader.SharedFiles;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** The bundled model on the SIMD and on the scalar backend, for the tests of a class. */
abstract class OnBothBackends {
    static Model simd;
    static Model scalar;

    @BeforeAll
    static void load() {
        simd = Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("simd"));
        scalar = Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("scalar"));
    }

    @AfterAll
    static void close() {
        simd.close();
        scalar.close();
    }

    static Model model(String backend) {
        return backend.equals("scalar") ? scalar : simd;
    }

    /** Twelve tokens drawn at temperature 1, always from the same seed. */
    static Generation generate(Model m, ChatPrompt chat, SteeringPlan plan) {
        return m.generate(new GenerationRequest(chat, plan, new SamplingOptions(1, 0, 1, 0, 1), 3, 12, true));
    }
}
