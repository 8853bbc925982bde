package dev.tiller.loader.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.Checkpoint;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model in three files. */
class GgufPartsTest {
    @TempDir
    Path folder;

    private Path whole;
    private Path first;

    @BeforeEach
    void split() throws IOException {
        whole = Files.createDirectory(folder.resolve("whole")).resolve("m.gguf");
        Files.write(whole, TinyLlama.model().build());
        first = part(1);
        try (Gguf file = Gguf.open(whole)) {
            for (int p = 0; p < 3; p++) {
                GgufBytes out = p == 0 ? TinyLlama.metadata("llama") : new GgufBytes();
                out.u32("split.no", p)
                        .u32("split.count", 3)
                        .u32("split.tensors.count", file.tensors().size());
                int i = 0;
                for (GgufTensor t : file.tensors()) {
                    if (i++ % 3 == p) {
                        out.tensor(
                                t.name(),
                                t.type().code(),
                                t.data().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE),
                                t.dims());
                    }
                }
                Files.write(part(p + 1), out.build());
            }
        }
    }

    private Path part(int number) {
        return folder.resolve("m-0000" + number + "-of-00003.gguf");
    }

    @Test
    void partsMakeTheWholeModel() {
        try (Checkpoint one = Checkpoint.open(whole);
                Checkpoint three = Checkpoint.open(first);
                Checkpoint named = Checkpoint.open(folder)) {
            assertEquals(one.config(), three.config());
            assertEquals(new TreeSet<>(one.tensorNames()), new TreeSet<>(three.tensorNames()));
            for (String name : one.tensorNames()) {
                assertArrayEquals(
                        one.tensor(name).toFloats(), three.tensor(name).toFloats(), name);
            }
            assertEquals(first, named.path());
            assertEquals(6, three.tokenizer().vocabSize());
        }
        assertEquals(List.of(part(1), part(2), part(3)), GgufParts.files(first));
        assertEquals(List.of(whole), GgufParts.files(whole));
    }

    @Test
    void partsThatDoNotBelongAreRefused() throws IOException {
        refuses(part(2), "expected the first file of a model in 3 files (NAME-00001-of-00003.gguf), found split.no 1");
        Path renamed = Files.copy(first, folder.resolve("n.gguf"));
        refuses(renamed, "expected the first file of a model in 3 files");
        byte[] third = Files.readAllBytes(part(3));
        Files.delete(part(3));
        refuses(first, "m-00003-of-00003.gguf: no such file, expected part 3 of 3 of a model");
        Files.copy(part(2), part(3));
        refuses(first, "m-00003-of-00003.gguf: key split.no: expected part 2 of 3 (from 0), found 1 of 3");
        try (Gguf file = Gguf.open(part(2))) {
            GgufBytes twice = new GgufBytes().u32("split.no", 2).u32("split.count", 3);
            GgufTensor t = file.tensors().iterator().next();
            twice.tensor(t.name(), 0, t.data().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE), t.dims());
            Files.write(part(3), twice.build());
            refuses(first, "tensor " + t.name() + ": expected once in all parts, found twice");
        }
        Files.write(
                part(3),
                new GgufBytes().u32("split.no", 2).u32("split.count", 3).build());
        refuses(first, "key split.tensors.count: expected the ");
        Files.write(part(3), third);
        Checkpoint.open(first).close();
    }

    private static void refuses(Path path, String message) {
        TillerException e =
                assertThrows(TillerException.class, () -> Checkpoint.open(path).close());
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }
}
