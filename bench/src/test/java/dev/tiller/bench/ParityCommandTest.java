package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Activations;
import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.DType;
import dev.tiller.loader.SafetensorsWriter;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TensorView;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code tiller bench parity}: the reference is made by the scalar backend here. */
class ParityCommandTest {
    private static final int[] IDS = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7};

    @TempDir
    Path folder;

    /** The bundled model's files with a reference; the value at {@code wrong} is off by the size of a logit. */
    private void make(int wrong) throws IOException {
        Path microworld = SharedFiles.repository("models/microworld");
        try (Stream<Path> files = Files.list(microworld)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
        long[] tokens = Arrays.stream(IDS).asLongStream().toArray();
        try (Model model = Model.load(microworld, LoadOptions.DEFAULT.withBackend("scalar"))) {
            Activations a = model.activations(IDS, IDS.length, SteeringPlan.NONE);
            float[] logits = a.logits();
            if (wrong >= 0) {
                logits[wrong] += 5;
            }
            new SafetensorsWriter()
                    .add("logits", new long[] {IDS.length, model.spec().vocabulary()}, logits)
                    .add(new TensorView(
                            "input_ids", DType.I64, new long[] {IDS.length}, MemorySegment.ofArray(tokens), "test"))
                    .write(folder.resolve("reference.safetensors"));
        }
    }

    private Outcome parity(String... options) {
        List<String> args = new ArrayList<>(List.of("bench", "parity", "--backend", "simd"));
        args.addAll(List.of(options));
        args.add(folder.toString());
        return Outcome.of(args);
    }

    @Test
    void everyWayAgreesWithTheReference() throws IOException {
        make(-1);
        Outcome o = parity("--json");
        assertEquals(0, o.code(), o.err() + o.out());
        assertEquals(3, o.out().lines().filter(l -> l.contains("\"ok\":true")).count(), o.out());
        assertTrue(o.out().contains("\"one pass\"") && o.out().contains("\"token by token\""), o.out());
        assertTrue(o.out().contains("\"mixed batch\""), o.out());
    }

    @Test
    void oneWrongLogitIsSeenInEveryWay() throws IOException {
        make(IDS.length * 100);
        Outcome o = parity();
        assertEquals(1, o.code(), o.out());
        assertEquals(3, o.out().lines().filter(l -> l.endsWith("TOO LARGE")).count(), o.out());
    }

    @Test
    void aFolderWithoutAReferenceIsAnError() {
        Outcome o = Outcome.of(List.of(
                "bench", "parity", SharedFiles.repository("models/microworld").toString()));
        assertEquals(1, o.code());
        assertTrue(o.err().contains("reference.safetensors"), o.err());
    }
}
